"""What this process has counted of the domain's work: ends, reminders, rounds of the timekeeper.

Written by the timekeeper's thread alone; anybody may read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from runtime.stats import Histogram, LabelledCounter


@dataclass(slots=True)
class Stats:
    """Counters that only rise, and when the last round was done."""

    ended: int = 0
    reminded: int = 0
    rounds: int = 0
    rounds_failed: int = 0
    put_aside: int = 0  # sessions that could not be ended, each time
    round_ended_at: float | None = None  # monotonic; of the last round that did not fail
    # From a deadline to the clock that decided the end; the commit follows within milliseconds.
    end_lateness: Histogram = field(
        default_factory=lambda: Histogram(
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30, 300
        )
    )
    round_duration: Histogram = field(
        default_factory=lambda: Histogram(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)
    )
    pictures: LabelledCounter = field(
        default_factory=lambda: LabelledCounter(("decoded", "refused", "busy"))
    )

    def round_done(self, took_s: float) -> None:
        self.rounds += 1
        self.round_duration.observe(took_s)
        self.round_ended_at = time.monotonic()

    def seconds_since_round(self) -> float | None:
        """Since the last round that did not fail; None before the first."""
        return None if self.round_ended_at is None else time.monotonic() - self.round_ended_at


stats = Stats()
