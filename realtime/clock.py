"""The database's clock without asking it: the monotonic clock plus a measured offset.

Each answer of the database was made between its question and its arrival, so it gives two bounds of
the offset. The bounds of all answers together, with those of the past widened by the drift that
clocks may have, are narrower than those of a single answer: an answer that took long (a busy
process, a full network) moves nothing. If an answer contradicts the bounds, a clock was stepped,
and the new answer counts at once.

The wall clock of this machine is used only until the first answer, so a step of it changes nothing
that a client can see.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runtime.database.clock import clock_time_exactly

# The most that two clocks drift apart. With NTP it is less; if it is more, answers contradict the
# bounds every few rounds, and are followed.
DRIFT = 20e-6
SHARP_MS = 1.0  # an answer that came within this needs no second one
SAMPLES = 3  # at most, in one measurement
ROUNDING_MS = 0.002  # the database gives whole microseconds, and a float of this size has its own
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bounds:
    """At `at`, on the monotonic clock, the offset was in `low`..`high`. All in milliseconds."""

    low: float
    high: float
    at: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    def later(self, at: float) -> Bounds:
        """The same at another time: wider by the possible drift."""
        drift = max(0.0, at - self.at) * DRIFT
        return Bounds(self.low - drift, self.high + drift, at)

    def narrowed_by(self, other: Bounds) -> Bounds | None:
        """The bounds that both allow; None if they contradict each other."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Bounds(low, high, other.at) if low <= high else None


class DatabaseClock:
    """Milliseconds since 1970 by the database's clock."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        ask: Callable[[], datetime] = clock_time_exactly,
    ) -> None:
        self._monotonic = monotonic  # seconds
        self._ask = ask
        self._offset_ms = time.time() * 1000 - monotonic() * 1000
        self._bounds: Bounds | None = None

    def now_ms(self) -> float:
        return self._monotonic() * 1000 + self._offset_ms

    @property
    def is_measured(self) -> bool:
        return self._bounds is not None

    def now(self) -> datetime:
        return at_ms(int(self.now_ms()))

    def measure_first(self) -> None:
        """Measures if that was never done: no client gets a time of this machine's clock."""
        if self._bounds is None:
            self.measure()

    def measure(self) -> float:
        """Asks the database. Blocks; raises its errors, and keeps the offset then.

        Returns by how many milliseconds a clock was stepped since the last time, 0 if none was.
        """
        step = 0.0
        for _ in range(SAMPLES):
            before = self._monotonic() * 1000
            there = (self._ask() - EPOCH) / timedelta(milliseconds=1)
            after = self._monotonic() * 1000
            step += self._believe(
                Bounds(there - after - ROUNDING_MS, there - before + ROUNDING_MS, after)
            )
            if after - before <= SHARP_MS:
                break
        return step

    def _believe(self, answer: Bounds) -> float:
        # Two threads may do this at once: the bounds of either are good, and are set as a whole.
        known = self._bounds
        bounds = known and known.later(answer.at).narrowed_by(answer)
        self._bounds = bounds or answer
        self._offset_ms = self._bounds.middle
        return answer.middle - known.middle if known and not bounds else 0.0


def at_ms(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


clock = DatabaseClock()
