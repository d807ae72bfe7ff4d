"""A tick to each local watcher on each whole second of what remains of its session.

One per process and event loop. No Redis, no database, no task in its path: it knows the deadlines,
and wakes for the sessions whose second has come. The seconds of a session are those of its deadline
(`ends_at` modulo one second), so devices on different processes show the same second at the same
moment. After an overrun it goes on with the next second, and never catches up.

Sessions stand in a wheel of 100 slots of 10 ms, by the phase of their deadline: waking for each
session by itself cost four times as much (a timer each).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from realtime.clock import at_ms
from realtime.messages import SessionTick
from realtime.outbox import Outbox

SECOND = 1_000  # ms
QUANTUM = 10  # ms: how late a tick may leave, and how many sessions share a wake-up
SLOTS = SECOND // QUANTUM
# ms; what is later than that is given up for the next second. More than none: of a session that is
# alone in the wheel the next slot ends one whole second after the last.
LATE_AT_MOST = 100


class Watcher(Protocol):
    """A socket, as the ticker sees it."""

    outbox: Outbox
    tick_every_ms: int | None  # 0 or None for none


@dataclass(slots=True)
class Watched:
    """A running session that somebody here watches."""

    session: int
    version: int
    ends_at_ms: int
    watchers: Collection[Watcher]
    told_ms: int = 0  # what remained at the last tick: after an overrun a slot may come twice

    def remaining(self, now: float) -> int:
        """The whole second that was reached last, as what remained then."""
        return -int(-(self.ends_at_ms - now) // SECOND) * SECOND


class Ticker:
    """`now_ms` is the database's clock in milliseconds."""

    def __init__(self, now_ms: Callable[[], float]) -> None:
        self._now_ms = now_ms
        self._sessions: dict[int, Watched] = {}
        self._wheel: list[dict[int, Watched]] = [{} for _ in range(SLOTS)]
        self._timer: asyncio.TimerHandle | None = None
        self._turned_to_ms = 0  # the wheel: all slots that end by then have had their tick
        self._next_ms = 0  # the end of the slot that the timer waits for

    def follow(
        self, session: int, version: int, ends_at_ms: int, watchers: Collection[Watcher]
    ) -> None:
        """From now on, ticks for this deadline. A version older than the one known is ignored."""
        known = self._sessions.get(session)
        if known is not None and version < known.version:
            return
        self.forget(session)
        self._skip_to_now()
        watched = Watched(session, version, ends_at_ms, watchers)
        self._sessions[session] = watched
        self._wheel[_slot(ends_at_ms)][session] = watched
        self._wait_for_next_slot()

    def forget(self, session: int) -> None:
        """No more ticks for this session."""
        watched = self._sessions.pop(session, None)
        if watched is not None:
            del self._wheel[_slot(watched.ends_at_ms)][session]

    def _skip_to_now(self) -> None:
        """Turns over the empty slots up to now: a newcomer's second is not one that has passed."""
        now = self._now_ms()
        if self._timer is None or self._next_ms > now:
            self._turned_to_ms = int(now // QUANTUM) * QUANTUM

    def _wait_for_next_slot(self) -> None:
        """Sets the timer to the end of the next slot that has sessions."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._sessions:
            return
        now = self._now_ms()
        if not now - SECOND - LATE_AT_MOST <= self._turned_to_ms <= now + SECOND:
            # An overrun: those seconds are gone. Or the clock was measured anew, and set back.
            self._turned_to_ms = int(now // QUANTUM) * QUANTUM
        first = self._turned_to_ms // QUANTUM
        ahead = next(n for n in range(SLOTS) if self._wheel[(first + n) % SLOTS])
        self._next_ms = (first + ahead + 1) * QUANTUM
        delay = max(0.0, self._next_ms - now) / SECOND
        self._timer = asyncio.get_running_loop().call_later(delay, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now = self._now_ms()
        try:
            if now >= self._next_ms:  # a loop may round its timers down
                self._turned_to_ms = self._next_ms
                self._tick_all((self._next_ms // QUANTUM - 1) % SLOTS, now)
        finally:  # whatever one session made fail, the others go on
            self._wait_for_next_slot()

    def _tick_all(self, slot: int, now: float) -> None:
        for watched in list(self._wheel[slot].values()):
            _tick(watched, now)
            if now >= watched.ends_at_ms:
                self.forget(watched.session)


def _slot(ends_at_ms: int) -> int:
    return ends_at_ms % SECOND // QUANTUM


def _tick(watched: Watched, now: float) -> None:
    """Sends the second that has just come, down to 1: the end is told when it is committed."""
    remaining = watched.remaining(now)
    if remaining < SECOND or remaining == watched.told_ms:
        return
    watched.told_ms = remaining
    message = None
    for watcher in watched.watchers:
        every = watcher.tick_every_ms
        if every and remaining % every == 0:
            message = message or _message(watched, remaining)  # encoded once for all devices
            watcher.outbox.put_tick(message)


def _message(watched: Watched, remaining: int) -> dict[str, object]:
    tick = SessionTick(
        session=watched.session,
        version=watched.version,
        remaining_ms=remaining,
        server_time=at_ms(watched.ends_at_ms - remaining),
    )
    return {"type": "websocket.send", "text": tick.as_text()}
