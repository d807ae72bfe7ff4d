"""A tick to each local watcher on each whole second of what remains of its session.

One per process and event loop. Neither Redis nor the database nor a task is in its path: it knows
the deadlines, and wakes for the sessions whose second has come. The seconds of a session are those
of its deadline (`ends_at` modulo one second), so devices on different processes show the same
second at the same moment. After an overrun it continues with the next second, and never catches up.

Sessions are in a timer wheel of 100 slots of 10 ms, by the phase of their deadline: a timer for
each session cost four times as much. A slot with thousands of sockets is sent in batches, so that
the loop can do something else in between.
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
# ms; a later tick is dropped for that of the next second. It is above 0 because the next slot of a
# session that is alone in the wheel ends one whole second after the last.
LATE_AT_MOST = 100
MAX_BATCH = 250  # sockets: as many system calls as take three or four milliseconds

Send = Callable[[Sequence[Outbox], Tick, float], int]  # watchers, tick, the loop's time


@dataclass(slots=True)
class Watched:
    """A running session with a socket here."""

    session: int
    version: int
    ends_at_ms: int
    watchers: Collection[Outbox]
    ticks: Ticks
    sent_ms: int = 0  # what remained at the last tick; after an overrun a slot may come twice

    def remaining(self, now: float) -> int:
        """The time left at the last whole second, in ms."""
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
        # Slots that are being sent, the first one partly, and when each of them began.
        self._sending: deque[tuple[float, Iterator[None]]] = deque()
        self._loop_time = 0.0  # at the last batch, in seconds

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
        """Skips empty slots up to now: a new session must not get a second that has passed."""
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
            # An overrun: those seconds are gone. Or the clock was measured again, and set back.
            self._turned_to_ms = int(now // QUANTUM) * QUANTUM
        first = self._turned_to_ms // QUANTUM
        ahead = next(n for n in range(SLOTS) if self._wheel[(first + n) % SLOTS])
        self._next_ms = (first + ahead + 1) * QUANTUM
        delay = max(0.0, self._next_ms - now) / SECOND
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(
            delay, self._turn, context=Context()
        )  # the log names no socket

    def _turn(self) -> None:
        self._timer = None
        now = self._now_ms()
        try:
            if now >= self._next_ms:  # a loop may round its timers down
                self._turned_to_ms = self._next_ms
                self._begin((self._next_ms // QUANTUM - 1) % SLOTS, now)
        finally:  # a session that fails must not stop the others
            self._wait_for_next_slot()

    def _begin(self, slot: int, now: float) -> None:
        """Sends the ticks of the slot, after those of slots that are still being sent."""
        sessions = list(self._wheel[slot].values())
        for watched in sessions:
            if now >= watched.ends_at_ms:
                self.forget(watched.session)
        self._sending.append((self._turned_to_ms - QUANTUM, self._send_ticks(sessions)))
        if len(self._sending) == 1:
            self._send_batch()

    def _send_batch(self) -> None:
        """One batch; the next one comes after whatever else the loop has to do."""
        loop = asyncio.get_running_loop()
        self._loop_time = loop.time()
        began_ms, sending = self._sending[0]
        sent_before = stats.ticks_sent
        try:
            next(sending)
        except StopIteration:
            self._sending.popleft()
        except Exception:
            log.exception("the ticks of a slot could not be sent")
            self._sending.popleft()
        if sent := stats.ticks_sent - sent_before:  # once for a batch
            tick_lateness.observe((self._now_ms() - began_ms) / SECOND, sent)
        if self._sending:
            loop.call_soon(self._send_batch)

    def _send_ticks(self, sessions: list[Watched]) -> Iterator[None]:
        """Sends each session the second that has just come; yields after each batch.

        The last tick is 1: the end is announced when it is committed. If sending a second takes
        longer than a second, the rest of the sockets gets the next one.
        """
        left = MAX_BATCH
        for watched in sessions:
            if self._sessions.get(watched.session) is not watched:
                continue
            remaining = watched.remaining(self._now_ms())
            if remaining < SECOND or remaining == watched.sent_ms:
                continue
            if watched.sent_ms > remaining + SECOND:
                stats.seconds_skipped += (watched.sent_ms - remaining) // SECOND - 1
            watched.sent_ms = remaining
            due = _due(watched.watchers, remaining)
            tick = watched.ticks.tick(remaining) if due else None  # encoded once for all devices
            while tick is not None:
                if not left:
                    yield
                    left = MAX_BATCH
                    remaining = watched.remaining(self._now_ms())
                    if self._sessions.get(watched.session) is not watched or remaining < SECOND:
                        break  # it has changed or ended
                    if remaining != watched.sent_ms:
                        watched.sent_ms, due = remaining, _due(due, remaining)
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
