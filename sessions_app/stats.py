"""Counters of the domain in this process: ends, reminders, rounds of the timekeeper, pictures.

The timekeeper's thread writes them (`pictures`: any thread), and any thread may read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from runtime.stats import Histogram, LabelledCounter, counter


@dataclass(slots=True)
class Stats:
    """Counters that only rise, and when the last round was done."""

    ended: int = counter("space_sessions_ended", "Sessions ended at their deadline.")
    reminded: int = counter("space_reminders_sent", "Reminders announced.")
    rounds: int = counter("space_timekeeper_rounds", "Rounds that searched for due sessions.")
    rounds_failed: int = counter("space_timekeeper_rounds_failed", "Those that failed.")
    put_aside: int = counter(
        "space_sessions_put_aside",
        "Sessions that could not be ended, each time; tried again after a minute.",
    )
    round_ended_at: float | None = None  # monotonic; of the last round that did not fail
    # From a deadline to the clock that decided the end; the commit follows within milliseconds.
    end_lateness: Histogram = field(
        default_factory=lambda: Histogram(
            "space_end_lateness_seconds",
            "From a deadline to the clock that decided the end.",
            *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30, 300),
        )
    )
    round_duration: Histogram = field(
        default_factory=lambda: Histogram(
            "space_timekeeper_round_duration_seconds",
            "How long one took.",
            *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
        )
    )
    pictures: LabelledCounter = field(
        default_factory=lambda: LabelledCounter(
            "space_pictures",
            "Pictures: `decoded`, `refused` by the decoder, or `busy` where none was free in time.",
            "result",
            ("decoded", "refused", "busy"),
        )
    )

    def round_done(self, took_s: float) -> None:
        self.rounds += 1
        self.round_duration.observe(took_s)
        self.round_ended_at = time.monotonic()

    def seconds_since_round(self) -> float | None:
        """Since the last round that did not fail; None before the first."""
        return None if self.round_ended_at is None else time.monotonic() - self.round_ended_at


stats = Stats()
