"""uvicorn's WebSocket, and what thousands of them on one loop need besides.

It hands its transport over to whom it serves (`scope["extensions"]["space.transport"]`). Towards a
client that does not read, a close is never written, so somebody must be able to cut the connection;
and a tick goes to thousands of sockets, where the way through `send()` costs as much as the system
call itself (`realtime/outbox.py`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any
from weakref import WeakKeyDictionary

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

log = logging.getLogger(__name__)


class WebSocket(WebSocketsSansIOProtocol):
    """One connection."""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not hasattr(self, "scope"):  # the handshake was none
            return
        extensions: Any = self.scope["extensions"]
        extensions["space.transport"] = self.transport

    def start_keepalive(self) -> None:
        if self.ping_interval:
            Keepalive.of(self.loop, self.ping_interval).add(self)

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


class Keepalive:
    """Pings the sockets of a loop, each once in `interval` seconds, spread evenly.

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
        self._turns: list[set[WebSocket]] = [set() for _ in range(round(interval / self._step_s))]
        self._places: dict[WebSocket, int] = {}
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop, interval: float) -> Keepalive:
        here = cls._here.setdefault(loop, {})
        return here.get(interval) or here.setdefault(interval, cls(loop, interval))

    def add(self, socket: WebSocket) -> None:
        place = (self._next - 1) % len(self._turns)  # a whole round from now
        self._places[socket] = place
        self._turns[place].add(socket)
        if self._timer is None:
            self._timer = self._loop.call_later(self._step_s, self._turn)

    def discard(self, socket: WebSocket) -> None:
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
                log.exception("a socket could not be pinged")
