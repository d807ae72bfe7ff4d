"""Measures how late the event loop calls its timers, to show whether it is too busy.

A timer records four times a second how late it was called. Any thread may read the numbers: while
the loop stands still, only other threads can.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import Context

from runtime.stats import Histogram

MEASURED_EVERY_S = 0.25
WINDOW_S = 30.0  # "lately" is the last one or two of these


class Lag:
    """Of one loop. `now` is its clock, in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.times = Histogram(
            "space_loop_lag_seconds",
            "How late the event loop came to a timer, four times a second.",
            *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15),
        )
        self._beat_at: float | None = None
        self._window_ends = 0.0
        self._most = self._most_before = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measures from now on, for as long as the loop runs."""
        due = loop.time() + MEASURED_EVERY_S
        self.beat(loop.time(), loop.time())

        def called() -> None:
            nonlocal due
            self.beat(due, loop.time())
            due = loop.time() + MEASURED_EVERY_S
            loop.call_at(due, called, context=Context())  # without a user or request in the log

        loop.call_at(due, called, context=Context())

    def beat(self, due: float, now: float) -> None:
        """The loop called at `now` a timer that was due at `due`."""
        late = max(0.0, now - due)
        if now >= self._window_ends:
            stale = now >= self._window_ends + WINDOW_S
            self._most_before, self._most = 0.0 if stale else self._most, 0.0
            self._window_ends = now + WINDOW_S
        self._most = max(self._most, late)
        self.times.observe(late)
        self._beat_at = now

    def most(self) -> float:
        """The latest of the last 30 to 60 s, in seconds."""
        return max(self._most, self._most_before)

    def silent(self) -> float | None:
        """For how long the loop has called no timer; None before the first."""
        return None if self._beat_at is None else max(0.0, self._now() - self._beat_at)


lag = Lag()
