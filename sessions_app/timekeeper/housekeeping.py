"""Jobs that a timekeeper does now and then, beside its deadlines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from math import inf


class Housekeeping:
    """Runs each job once in `every`. A job returns False if more is left: it runs again soon.

    So a long job does not delay the next deadline for longer than one batch.
    """

    def __init__(
        self,
        every: timedelta,
        jobs: Sequence[Callable[[], bool]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every_s = every.total_seconds()
        self._now = now
        self._next_at = dict.fromkeys(jobs, -inf)

    def run(self) -> None:
        for job, next_at in self._next_at.items():
            if self._now() >= next_at and job():
                self._next_at[job] = self._now() + self._every_s
