"""One timer for all connections of an event loop, instead of one for each.

uvicorn has two timers for each socket, set and cancelled all the time. With thousands of sockets
these cost more than the pings that they send.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol
from weakref import WeakKeyDictionary

log = logging.getLogger(__name__)

SHORTEST_STEP_S = 0.005
STEPS = 200


class Scheduled(Protocol):
    """A connection that a wheel calls once in its interval."""

    def check_progress(self) -> None: ...


class TimerWheel:
    """Calls each connection of a loop once in `interval` seconds, spread evenly over them."""

    _wheels: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, TimerWheel]] = (
        WeakKeyDictionary()
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        self._loop = loop
        self._step_s = max(interval / STEPS, SHORTEST_STEP_S)
        self._slots: list[set[Scheduled]] = [set() for _ in range(round(interval / self._step_s))]
        self._slot_of: dict[Scheduled, int] = {}
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop, interval: float) -> TimerWheel:
        wheels = cls._wheels.setdefault(loop, {})
        return wheels.get(interval) or wheels.setdefault(interval, cls(loop, interval))

    def add(self, connection: Scheduled) -> None:
        slot = (self._next - 1) % len(self._slots)  # a whole round from now
        self._slot_of[connection] = slot
        self._slots[slot].add(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(self._step_s, self._advance)

    def discard(self, connection: Scheduled) -> None:
        slot = self._slot_of.pop(connection, None)
        if slot is not None:
            self._slots[slot].discard(connection)

    def _advance(self) -> None:
        self._timer = self._loop.call_later(self._step_s, self._advance) if self._slot_of else None
        due, self._next = self._slots[self._next], (self._next + 1) % len(self._slots)
        for connection in tuple(due):
            try:
                connection.check_progress()
            except Exception:
                log.exception("a connection could not be checked")
