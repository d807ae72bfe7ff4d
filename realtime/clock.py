"""What the database's clock shows, without asking it: the monotonic clock plus a measured offset.

The wall clock of this machine is used only until the first answer, so a step of it changes nothing
that a client can see.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sessions_app.clock import database_now_exactly

SAMPLES = 3  # the one with the shortest round trip is believed
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DatabaseClock:
    """Milliseconds since 1970 by the database's clock."""

    def __init__(self) -> None:
        self._offset_ms = time.time() * 1000 - time.monotonic() * 1000
        self._measured = False

    def now_ms(self) -> float:
        return time.monotonic() * 1000 + self._offset_ms

    def now(self) -> datetime:
        return at_ms(int(self.now_ms()))

    def measure_first(self) -> None:
        """Measures unless that was done before: nobody is told a time that was only guessed."""
        if not self._measured:
            self.measure()

    def measure(self) -> None:
        """Asks the database. Blocks; raises its errors, and then keeps the offset that it had."""
        samples = []
        for _ in range(SAMPLES):
            before = time.monotonic() * 1000
            there = (database_now_exactly() - EPOCH) / timedelta(milliseconds=1)
            after = time.monotonic() * 1000
            samples.append((after - before, there - (before + after) / 2))
        self._offset_ms = min(samples)[1]
        self._measured = True


def at_ms(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


clock = DatabaseClock()
