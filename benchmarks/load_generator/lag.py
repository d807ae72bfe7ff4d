"""How late this program itself is: its figures are no better than its own loop."""

from __future__ import annotations

import asyncio
import resource
import sys
import time

from benchmarks.load_generator.histogram import Histogram

EVERY_MS = 20.0
TOO_MUCH_MS = 50.0  # from there on lateness is not judged, for a while
REMEMBERED_MS = 1_500.0
BOTTLENECK_LAG_MS = 20.0  # p99
BOTTLENECK_CPU = 0.8  # of a core


def now_ms() -> float:
    """This machine's monotonic clock."""
    return time.monotonic() * 1000


class Lag:
    """Sleeps repeatedly, and measures how much longer each sleep took."""

    def __init__(self) -> None:
        self.histogram = Histogram()
        self._due = now_ms() + EVERY_MS
        self._lagging_until = 0.0
        self._began, self._cpu_before = now_ms(), _cpu_ms()

    async def watch(self) -> None:
        while True:
            self._due = now_ms() + EVERY_MS
            await asyncio.sleep(EVERY_MS / 1000)
            self.slept(now_ms())

    def slept(self, at: float) -> None:
        late = max(0.0, at - self._due)
        self.histogram.add(late)
        if late > TOO_MUCH_MS:
            self._lagging_until = at + REMEMBERED_MS

    def is_lagging(self, at: float) -> bool:
        """Also while the loop stands still, and `slept` has not been called yet."""
        return at < self._lagging_until or at > self._due + TOO_MUCH_MS

    @property
    def cpu(self) -> float:
        """The share of one core that this program has used."""
        return (_cpu_ms() - self._cpu_before) / max(1.0, now_ms() - self._began)

    @property
    def is_bottleneck(self) -> bool:
        return self.histogram.quantile(0.99) > BOTTLENECK_LAG_MS or self.cpu > BOTTLENECK_CPU


def memory_mb() -> float:
    """The most that this program has taken."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _cpu_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000
