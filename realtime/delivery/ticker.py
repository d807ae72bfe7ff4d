"""A tick to each local watcher on each whole second of what remains of its session.

One per process and event loop. No Redis, no database, no task in its path: it knows the deadlines,
and wakes for the sessions whose second has come. The seconds of a session are those of its deadline
(`ends_at` modulo one second), so devices on different processes show the same second at the same
moment. After an overrun it goes on with the next second, and never catches up.

Sessions stand in a wheel of 100 slots of 10 ms, by the phase of their deadline: waking for each
session by itself cost four times as much (a timer each). A slot with thousands of sockets is
written to in breaths, so that the loop can do something else in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextvars import Context
from dataclasses import dataclass

from realtime.delivery.outbox import Outbox, put_tick
from realtime.delivery.tick import Tick, Ticks
from realtime.stats import stats, tick_lateness

log = logging.getLogger(__name__)

SECOND = 1_000  # ms
QUANTUM = 10  # ms: how late a tick may leave, and how many sessions share a wake-up
SLOTS = SECOND // QUANTUM
# ms; what is later than that is given up for the next second. More than none: of a session that is
# alone in the wheel the next slot ends one whole second after the last.
LATE_AT_MOST = 100
BREATH = 250  # sockets: as many system calls as take three or four milliseconds


Send = Callable[[Sequence[Outbox], Tick, float], int]  # to whom, what, when (the loop's clock)


@dataclass(slots=True)
class Watched:
    """A running session that somebody here watches."""

    session: int
    version: int
    ends_at_ms: int
    watchers: Collection[Outbox]
    ticks: Ticks
    told_ms: int = 0  # what remained at the last tick: after an overrun a slot may come twice

    def remaining(self, now: float) -> int:
        """The whole second that was reached last, as what remained then."""
        return -int(-(self.ends_at_ms - now) // SECOND) * SECOND


class Ticker:
    """`now_ms` is the database's clock in milliseconds."""

    def __init__(self, now_ms: Callable[[], float], send: Send = put_tick) -> None:
        self._now_ms = now_ms
        self._send = send
        self._sessions: dict[int, Watched] = {}
        self._wheel: list[dict[int, Watched]] = [{} for _ in range(SLOTS)]
        self._timer: asyncio.TimerHandle | None = None
        self._turned_to_ms = 0  # the wheel: all slots that end by then have had their tick
        self._next_ms = 0  # the end of the slot that the timer waits for
        # Slots, the first one half done, and when each of them began.
        self._telling: deque[tuple[float, Iterator[None]]] = deque()
        self._loop_time = 0.0  # at the last breath, in seconds

    def follow(
        self, session: int, version: int, ends_at_ms: int, watchers: Collection[Outbox]
    ) -> None:
        """From now on, ticks for this deadline. A version older than the one known is ignored."""
        known = self._sessions.get(session)
        if known is not None and version < known.version:
            return
        self.forget(session)
        self._skip_to_now()
        ticks = Ticks(session, version, ends_at_ms)
        watched = Watched(session, version, ends_at_ms, watchers, ticks)
        self._sessions[session] = watched
        self._wheel[_slot(ends_at_ms)][session] = watched
        self._wait_for_next_slot()

    def forget(self, session: int) -> None:
        """No more ticks for this session."""
        watched = self._sessions.pop(session, None)
        if watched is not None:
            del self._wheel[_slot(watched.ends_at_ms)][session]

    @property
    def following(self) -> int:
        """How many sessions."""
        return len(self._sessions)

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
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay, self._turn, context=Context())  # nobody's, in the log

    def _turn(self) -> None:
        self._timer = None
        now = self._now_ms()
        try:
            if now >= self._next_ms:  # a loop may round its timers down
                self._turned_to_ms = self._next_ms
                self._begin((self._next_ms // QUANTUM - 1) % SLOTS, now)
        finally:  # whatever one session made fail, the others go on
            self._wait_for_next_slot()

    def _begin(self, slot: int, now: float) -> None:
        """Tells the sessions of the slot, after those that are still being told."""
        sessions = list(self._wheel[slot].values())
        for watched in sessions:
            if now >= watched.ends_at_ms:
                self.forget(watched.session)
        self._telling.append((self._turned_to_ms - QUANTUM, self._tell(sessions)))
        if len(self._telling) == 1:
            self._breathe()

    def _breathe(self) -> None:
        """One breath; the next one comes after whatever else the loop has to do."""
        loop = asyncio.get_running_loop()
        self._loop_time = loop.time()
        began_ms, telling = self._telling[0]
        sent_before = stats.ticks_sent
        try:
            next(telling)
        except StopIteration:
            self._telling.popleft()
        except Exception:
            log.exception("a slot of sessions could not be told its second")
            self._telling.popleft()
        if sent := stats.ticks_sent - sent_before:  # once for all of a breath
            tick_lateness.observe((self._now_ms() - began_ms) / SECOND, sent)
        if self._telling:
            loop.call_soon(self._breathe)

    def _tell(self, sessions: list[Watched]) -> Iterator[None]:
        """Sends each session the second that has just come; yields when a breath is spent.

        Down to 1: the end is told when it is committed. Where a second takes longer than a second,
        the rest of the sockets hears the next one: late ones are never caught up with.
        """
        left = BREATH
        for watched in sessions:
            if self._sessions.get(watched.session) is not watched:
                continue
            remaining = watched.remaining(self._now_ms())
            if remaining < SECOND or remaining == watched.told_ms:
                continue
            if watched.told_ms > remaining + SECOND:
                stats.seconds_skipped += (watched.told_ms - remaining) // SECOND - 1
            watched.told_ms = remaining
            due = _due(watched.watchers, remaining)
            tick = watched.ticks.tick(remaining) if due else None  # encoded once for all devices
            while tick is not None:
                if not left:
                    yield
                    left = BREATH
                    remaining = watched.remaining(self._now_ms())
                    if self._sessions.get(watched.session) is not watched or remaining < SECOND:
                        break  # it has changed, or is over
                    if remaining != watched.told_ms:
                        watched.told_ms, due = remaining, _due(due, remaining)
                        tick = watched.ticks.tick(remaining)
                some, due = due[:left], due[left:]
                stats.ticks_sent += self._send(some, tick, self._loop_time)
                left -= len(some)
                if not due:
                    break


def _due(watchers: Iterable[Outbox], remaining: int) -> list[Outbox]:
    """Those that want this second."""
    return [w for w in watchers if (every := w.tick_every_ms) and not remaining % every]


def _slot(ends_at_ms: int) -> int:
    return ends_at_ms % SECOND // QUANTUM
