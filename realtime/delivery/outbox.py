"""The queue of frames to one socket. Putting a frame in never waits.

`send()` is driven by hand for one step, which sends the frame without a task if the client reads.
Only if the socket is backed up does a task wait for it; meanwhile ticks for that socket are dropped
(the next one supersedes them), and all other frames queue, within a bound.

If the server hands over its transport (`server/uvicorn/websocket.py`), ticks are written to it as
encoded frames: no coroutine, no dictionary, one system call.
"""

from __future__ import annotations

import asyncio
import logging
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from typing import Any, Protocol

from realtime.delivery.tick import Tick
from realtime.stats import stats

log = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]

LONGEST_QUEUE = 256  # frames; a client that is this far behind syncs when it reconnects
LARGEST_QUEUE = 4 * 1024 * 1024  # characters; a session with all its tasks has a hundred thousand
MAX_TICKS_DROPPED = 15  # in a row: the client does not read at all


class Transport(Protocol):
    """The part of `asyncio.Transport` that is used here."""

    def is_closing(self) -> bool: ...
    def get_write_buffer_size(self) -> int: ...
    def write(self, data: bytes) -> None: ...
    def abort(self) -> None: ...


class Outbox:
    """`on_slow` is called once, if the queue is too long or too many ticks were dropped."""

    __slots__ = (
        *("_closed", "_draining", "_dropped", "_on_slow", "_queue", "_queued", "_send"),
        *("_transport", "last_put", "tick_every_ms"),
    )

    def __init__(
        self, send: Send, on_slow: Callable[[], None], transport: Transport | None = None
    ) -> None:
        self.tick_every_ms = 0  # 0 for no ticks
        self._send = send
        self._transport = transport
        self._on_slow: Callable[[], None] | None = on_slow
        self._queue: deque[dict[str, Any]] | None = None  # most sockets never need one
        self._queued = 0  # characters
        self._draining: asyncio.Task[None] | None = None
        self._dropped = 0  # ticks, since one got through
        self._closed = False
        self.last_put = 0.0  # on the loop's clock: when something was last sent

    def put(self, text: str) -> None:
        """A frame that must not be lost while the socket lives."""
        self._put({"type": "websocket.send", "text": text})

    def _drop_tick(self) -> None:
        stats.ticks_skipped += 1
        self._dropped += 1
        if self._dropped == MAX_TICKS_DROPPED:
            self._report_slow()

    def _report_slow(self) -> None:
        on_slow, self._on_slow = self._on_slow, None
        if on_slow is not None:
            stats.slow_closed += 1
            on_slow()

    def close(self, code: int, reason: str) -> None:
        """Sends the close, after which nothing is sent."""
        if not self._closed:
            self._put({"type": "websocket.close", "code": int(code), "reason": reason})
            self._closed = True

    def leave(self) -> None:
        """Drops the reference to the socket, which may be freed then."""
        self._on_slow = None

    def abandon(self) -> None:
        """The socket is gone: nothing more is sent."""
        self._closed = True
        self._queue = None
        if self._draining is not None and self._draining is not asyncio.current_task():
            self._draining.cancel()
            self._draining = None

    def _put(self, message: dict[str, Any]) -> None:
        if self._closed:
            return
        self.last_put = asyncio.get_running_loop().time()
        if self._draining is not None:
            if self._queue is None:
                self._queue, self._queued = deque(), 0
            self._queue.append(message)
            self._queued += len(message.get("text", ""))
            if len(self._queue) >= LONGEST_QUEUE or self._queued > LARGEST_QUEUE:
                self._report_slow()
            return
        rest = _step(self._send(message))
        if rest is not None:
            self._draining = asyncio.get_running_loop().create_task(self._drain(rest))

    async def _drain(self, rest: Awaitable[None]) -> None:
        try:
            await rest
            while self._queue:
                message = self._queue.popleft()
                self._queued -= len(message.get("text", ""))
                await self._send(message)
        except OSError:
            self._closed = True  # the peer is gone
        except Exception:
            log.exception("a frame could not be sent")
            self._closed = True
        finally:
            self._queue = None
            self._draining = None


def put_tick(outboxes: Iterable[Outbox], tick: Tick, now: float) -> int:
    """Sends the tick to each outbox at once or not at all. Gives how many it was sent to.

    `now`: the loop's clock. A socket with frames waiting gets nothing: the next tick supersedes
    this one. This is one function for all, because a call of a method costs as much as all else
    that is done here for a socket.
    """
    frame, sent = tick.frame, 0
    for outbox in outboxes:
        if outbox._closed:
            continue
        transport = outbox._transport
        if outbox._draining is not None:
            outbox._drop_tick()
        elif transport is None:
            outbox._put(tick.message)
            outbox._dropped = 0
            sent += 1
        elif transport.is_closing():
            continue  # the client is gone
        elif transport.get_write_buffer_size():
            outbox._drop_tick()
        else:
            transport.write(frame)
            outbox.last_put = now
            outbox._dropped = 0
            sent += 1
    return sent


def _step(sending: Awaitable[None]) -> Awaitable[None] | None:
    """Drives the coroutine one step. Gives None if that finished it, else the rest of it."""
    assert isinstance(sending, Coroutine)
    try:
        waits_for = sending.send(None)
    except StopIteration:
        return None
    except OSError:
        return None  # the peer is gone; the server library ends the socket
    except Exception:
        log.exception("a frame could not be sent")
        return None
    return _rest(sending, waits_for)


@types.coroutine
def _rest(sending: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """The rest of the coroutine, for a task to await."""
    while True:
        try:
            value = yield waits_for
        except BaseException as error:
            try:
                waits_for = sending.throw(error)
            except StopIteration:
                return
        else:
            try:
                waits_for = sending.send(value)
            except StopIteration:
                return
