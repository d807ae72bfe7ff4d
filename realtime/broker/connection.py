"""Connections to Redis for the channel layer: timeouts, TLS, and fixes of redis-py.

This is the one module that uses private names of redis-py.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from redis.asyncio import connection
from redis.exceptions import ConnectionError as RedisConnectionError

# When the kernel probes a silent connection: idle seconds, interval in seconds, number of probes.
_TCP_KEEPALIVE = {4: 5, 5: 2, 6: 3} if sys.platform == "linux" else {}
_LIMITS = {
    "socket_connect_timeout": 2,
    # For the greeting and for PUBLISH. Not for listening, which may be silent for hours: the layer
    # waits for messages with a timeout of its own, and that is not an error.
    "socket_timeout": 2,
    "socket_keepalive": True,
    "socket_keepalive_options": _TCP_KEEPALIVE,
    "health_check_interval": 10,
}


RESPONSES_PER_TURN = 50  # some 20 microseconds each; then the loop may do something else

_on_reconnect: WeakKeyDictionary[asyncio.AbstractEventLoop, Callable[[], None]] = (
    WeakKeyDictionary()
)


def notify_on_reconnect(callback: Callable[[], None]) -> None:
    """Calls it on the running loop after a connection of that loop broke and was made again."""
    _on_reconnect[asyncio.get_running_loop()] = callback


def stop_notifying() -> None:
    _on_reconnect.pop(asyncio.get_running_loop(), None)


class ListeningFixes:
    """Mixed into a connection, for the task of the layer that listens.

    A connection that the kernel has given up is an error here. The kernel's ETIMEDOUT *is*
    `asyncio.TimeoutError` (Python >= 3.11), which redis-py takes for "no message yet"; since
    nothing waits then, the layer asks again at once, for ever, and the event loop stands still.

    The loop gets its turn while many responses are read: those that have arrived are read without
    waiting. After 5,000 groups were subscribed to again, reading the confirmations held the loop
    for a tenth of a second.

    A reconnection is reported, because messages published before it are lost.
    """

    _reader: Any
    _read = 0
    _was_connected = False

    async def connect(self) -> None:
        is_new = not self.is_connected  # type: ignore[attr-defined]
        await super().connect()  # type: ignore[misc]
        # The publisher's loop listens to nothing, and has no callback.
        callback = _on_reconnect.get(asyncio.get_running_loop())
        if is_new and self._was_connected and callback is not None:
            callback()
        self._was_connected = True

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        self._read += 1
        if self._read % RESPONSES_PER_TURN == 0:
            await asyncio.sleep(0)
        response = await super().read_response(*args, **kwargs)  # type: ignore[misc]
        if response is None and self._reader is not None:
            broken = self._reader.exception()
            if broken is not None:
                raise RedisConnectionError(f"the connection broke: {broken!r}")
        return response


class Connection(ListeningFixes, connection.Connection):
    """Plain TCP."""


class SSLConnection(ListeningFixes, connection.SSLConnection):
    """TLS, for `rediss://`."""


def hosts(url: str) -> list[dict[str, Any]]:
    """The `hosts` of the channel layer, for one server. Raises ValueError for an invalid URL.

    The URL is parsed here, because the layer would choose the class of the connections by it.
    """
    parts: dict[str, Any] = dict(connection.parse_url(url))
    by_url = parts.get("connection_class")
    ours = SSLConnection if by_url is connection.SSLConnection else Connection
    return [{**parts, **_LIMITS, "connection_class": ours}]


def cut(pubsub: Any) -> None:
    """Aborts the connection of this PubSub; closing it would wait to write what is never read."""
    connected = pubsub.connection
    if connected is not None and connected._writer is not None:
        connected._writer.transport.abort()
