"""uvicorn's WebSocket, what thousands of them on one loop need besides, and what hostile ones do.

It hands its transport over to whom it serves (`scope["extensions"]["space.transport"]`). Towards a
client that does not read, a close is never written, so somebody must be able to cut the connection;
and a tick goes to thousands of sockets, where the way through `send()` costs as much as the system
call itself (`realtime/delivery/outbox.py`).

What comes is parsed in small pieces, and no further than is asked for: 256 KB, which one read may
bring, are 40,000 empty frames, and would hold the loop for a third of a second. Frames of any kind
are counted. Who sends far too many is not read any more, and the application hears `space.flooded`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from realtime.protocol.limits import WireBudget

log = logging.getLogger(__name__)

PIECE = 4 * 1024  # bytes: at most 700 frames, some milliseconds
NO_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
FROM_STRANGERS = 16 * 1024  # bytes of one message, until the application knows who it is


class WebSocket(WebSocketsSansIOProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unread = b""
        self._budget = WireBudget(self.loop.time)
        self._flooded = False
        self.conn.max_message_size = min(FROM_STRANGERS, self.config.ws_max_size)

    # -- what comes in ---------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if not self._flooded:
            self._unread += data
            self._read_on()

    def _read_on(self) -> None:
        """Parses what has come until there is something for the application to do."""
        while self._unread and not self.read_paused and not self.transport.is_closing():
            if self.handshake_initiated and not self.handshake_complete:
                # It talks before it was let in. The library would fail; it is read afterwards.
                self.transport.pause_reading()
                return
            piece, self._unread = self._unread[:PIECE], self._unread[PIECE:]
            try:
                super().data_received(piece)
            except InvalidState:  # text that is no text, and in the same piece its end
                self.transport.close()
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self._no_handshake()

    def handle_events(self) -> None:
        if self._budget.spend(len(self.conn.events)):
            super().handle_events()
        else:
            self._flood()

    def _flood(self) -> None:
        self._flooded = True
        self._unread, self.frames = b"", []
        self.conn.events_received()
        self.conn.data_to_send()
        self.transport.pause_reading()
        self.read_paused = False  # so that nobody resumes it: the connection will be cut
        flooded: Any = {"type": "space.flooded"}
        self.queue.put_nowait(flooded)

    def _no_handshake(self) -> None:
        """uvicorn waits for ever for a handshake that the library has refused already."""
        self.handshake_complete = self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()) or NO_HANDSHAKE)
        self.transport.close()

    async def receive(self) -> Any:
        """As uvicorn's, but what was read already comes before more is read."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._read_on()
            if not self.read_paused and not self._flooded:
                self.transport.resume_reading()
        return message

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not hasattr(self, "scope"):  # the handshake was none
            return
        extensions: Any = self.scope["extensions"]
        extensions["space.transport"] = self.transport
        extensions["space.admitted"] = self._admitted

    def _admitted(self) -> None:
        self.conn.max_message_size = self.config.ws_max_size

    def handle_ping(self) -> None:
        """Pongs do not pile up for a client that does not read them."""
        pong = b"".join(self.conn.data_to_send())
        if not self.transport.get_write_buffer_size():
            self.transport.write(pong)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # Whatever leads back to us: else it would all stay until the collector comes by, which is
        # seldom (`garbage_collection.py`), and who comes again and again would fill the memory.
        self.conn.parser.close()
        if hasattr(self, "scope"):
            self.scope["extensions"] = {}

    # -- pings -----------------------------------------------------------------------------------

    def start_keepalive(self) -> None:
        """It was let in."""
        self.loop.call_soon(self._read_on_after_handshake)
        if self.ping_interval:
            Keepalive.of(self.loop, self.ping_interval).add(self)

    def _read_on_after_handshake(self) -> None:
        del self.request, self.response  # some KB that nobody needs any more
        self._read_on()
        if not self.read_paused and not self._flooded:
            self.transport.resume_reading()

    def stop_keepalive(self) -> None:
        if self.ping_interval:
            Keepalive.of(self.loop, self.ping_interval).discard(self)
        self.pending_ping_payload = None

    def keep_alive(self) -> None:
        """Its turn: a ping, unless the last one still waits for its pong."""
        if self.close_sent or self.transport.is_closing():
            return
        now = self.loop.time()
        if self.pending_ping_payload is None:
            payload = random.randbytes(4)  # noqa: S311 -- only tells one pong from another
            self.pending_ping_payload = payload
            self.ping_sent_at = now
            self.transport.write(b"\x89\x04" + payload)
        elif self.ping_timeout is not None and now - self.ping_sent_at >= self.ping_timeout * 0.99:
            self.keepalive_timeout()


class Kept(Protocol):
    """A connection that is looked at once in a while."""

    def keep_alive(self) -> None: ...


class Keepalive:
    """Looks at the connections of a loop, each once in `interval` seconds, spread evenly.

    Sockets send their pings then; what HTTP does, `http.py` says.

    uvicorn has two timers for each socket, set and cancelled all the time. With thousands of
    sockets these cost more than the pings.
    """

    SHORTEST_STEP_S = 0.005
    STEPS = 200
    _here: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, Keepalive]] = (
        WeakKeyDictionary()
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        self._loop = loop
        self._step_s = max(interval / self.STEPS, self.SHORTEST_STEP_S)
        self._turns: list[set[Kept]] = [set() for _ in range(round(interval / self._step_s))]
        self._places: dict[Kept, int] = {}
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop, interval: float) -> Keepalive:
        here = cls._here.setdefault(loop, {})
        return here.get(interval) or here.setdefault(interval, cls(loop, interval))

    def add(self, socket: Kept) -> None:
        place = (self._next - 1) % len(self._turns)  # a whole round from now
        self._places[socket] = place
        self._turns[place].add(socket)
        if self._timer is None:
            self._timer = self._loop.call_later(self._step_s, self._turn)

    def discard(self, socket: Kept) -> None:
        place = self._places.pop(socket, None)
        if place is not None:
            self._turns[place].discard(socket)

    def _turn(self) -> None:
        self._timer = self._loop.call_later(self._step_s, self._turn) if self._places else None
        turn, self._next = self._turns[self._next], (self._next + 1) % len(self._turns)
        for socket in tuple(turn):
            try:
                socket.keep_alive()
            except Exception:
                log.exception("a connection could not be looked at")
