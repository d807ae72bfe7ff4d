"""The connections of the channel layer to Redis: what redis-py and channels_redis leave to us."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import connection
from redis.exceptions import ConnectionError as RedisConnectionError

# When the kernel looks after a silent connection, in seconds: idle, interval, and how many times.
_TCP_KEEPALIVE = {4: 5, 5: 2, 6: 3} if sys.platform == "linux" else {}
_LIMITS = {
    "socket_connect_timeout": 2,
    # For the greeting and for PUBLISH. Not for listening, which may be silent for hours: the layer
    # asks for news with a time-out of its own, and that is not an error.
    "socket_timeout": 2,
    "socket_keepalive": True,
    "socket_keepalive_options": _TCP_KEEPALIVE,
    "health_check_interval": 10,
}


AT_ONCE = 50  # responses, some 20 microseconds each; then the loop may see to its ticks


_connected_anew: WeakKeyDictionary[asyncio.AbstractEventLoop, Callable[[], None]] = (
    WeakKeyDictionary()
)


def _nobody() -> None:
    """Hears of it: the publisher's loop, which listens to nothing."""


def tell_when_connected_anew(tell: Callable[[], None]) -> None:
    """Calls it on the running loop when a connection of that loop broke, and is there again."""
    _connected_anew[asyncio.get_running_loop()] = tell


def tell_nobody() -> None:
    """Any more."""
    _connected_anew.pop(asyncio.get_running_loop(), None)


class LetsTheLoopGoOn:
    """Mixed into a connection, for the layer's task that listens.

    One that the kernel has given up is an error, and not just silent: the kernel's ETIMEDOUT *is*
    `asyncio.TimeoutError` (Python >= 3.11), which redis-py takes for "no news yet"; and since
    nothing waits, the layer asks again at once, for ever, and the event loop stands still.

    And what has come already is read without waiting. After 5,000 groups were subscribed to anew,
    reading that it was done held the loop for a tenth of a second.

    And whoever lives by what is heard is told when it was connected anew: what was published while
    it was not is lost.
    """

    _reader: Any
    _read = 0
    _was_connected = False

    async def connect(self) -> None:
        is_new = not self.is_connected  # type: ignore[attr-defined]
        await super().connect()  # type: ignore[misc]
        if is_new and self._was_connected:
            _connected_anew.get(asyncio.get_running_loop(), _nobody)()
        self._was_connected = True

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        self._read += 1
        if self._read % AT_ONCE == 0:
            await asyncio.sleep(0)
        response = await super().read_response(*args, **kwargs)  # type: ignore[misc]
        if response is None and self._reader is not None:
            broken = self._reader.exception()
            if broken is not None:
                raise RedisConnectionError(f"the connection broke: {broken!r}")
        return response


class Connection(LetsTheLoopGoOn, connection.Connection):
    """Plain TCP."""


class SSLConnection(LetsTheLoopGoOn, connection.SSLConnection):
    """TLS, for `rediss://`."""


def hosts(url: str) -> list[dict[str, Any]]:
    """The `hosts` of the channel layer, for one server. Raises ValueError for a URL that is none.

    The URL is taken apart here: the layer would choose the class of the connections by it.
    """
    parts: dict[str, Any] = dict(connection.parse_url(url))
    by_url = parts.get("connection_class")
    ours = SSLConnection if by_url is connection.SSLConnection else Connection
    return [{**parts, **_LIMITS, "connection_class": ours}]


def hear_anew(layer: Any) -> None:
    """Has the layer of this loop connect and subscribe anew. Waits for nothing.

    The old connection is cut, not closed: closing would wait to write what nobody reads. The task
    that listens then finds it broken, connects, and redis-py subscribes to all that there was.
    """
    for shard in layer._shards:
        if shard._receive_task is not None and shard._receive_task.done():
            shard._receive_task = None  # it should never end; the layer would not notice
            shard._ensure_receiver()
        listening = shard._pubsub.connection if shard._pubsub is not None else None
        if listening is not None and listening._writer is not None:
            listening._writer.transport.abort()
