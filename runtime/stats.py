"""Counters and histograms in plain memory, read by whatever exports them (`ops/metrics`).

The part that counts a thing owns its number, near the place where it happens, with the name and
meaning of its metric. Counting costs an addition, so it may stand where every tick passes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import field
from itertools import accumulate
from math import inf
from threading import Lock


def counter(metric: str, meaning: str) -> int:
    """A field of a dataclass that counts from 0 for one writer, with the metric that shows it."""
    counts: int = field(default=0, metadata={"metric": metric, "meaning": meaning})
    return counts


class Histogram:
    """Durations, counted under fixed bounds in seconds.

    It has one writer, a thread or an event loop; other threads may read meanwhile. `counts` has one
    entry more than `bounds`, for durations above the last bound.
    """

    __slots__ = ("bounds", "counts", "meaning", "metric", "total")

    def __init__(self, metric: str, meaning: str, *bounds: float) -> None:
        self.metric, self.meaning, self.bounds = metric, meaning, bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0  # seconds

    def observe(self, seconds: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += times
        self.total += seconds * times

    def as_dict(self) -> dict[float, int]:
        """How many durations were at most each bound (cumulative); `inf` has all of them."""
        return dict(zip((*self.bounds, inf), accumulate(list(self.counts)), strict=True))

    def __len__(self) -> int:
        return sum(self.counts)


class LabelledCounter:
    """Counts by a label of a small closed set. Safe from any thread."""

    def __init__(self, metric: str, meaning: str, label: str, names: Iterable[str]) -> None:
        self.metric, self.meaning, self.label = metric, meaning, label
        self._lock = Lock()
        self._counts = Counter(dict.fromkeys(names, 0))

    def add(self, name: str, times: int = 1) -> None:
        """Adds `times`. An unknown name counts as `other`, so the labels stay a closed set."""
        with self._lock:
            self._counts[name if name in self._counts else "other"] += times

    def as_dict(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)
