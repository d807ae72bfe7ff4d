"""Plain numbers that only rise, for whoever shows them (`config/metrics`): nothing here knows how.

What counts a thing owns its number, near where the thing happens. To count costs an addition, so it
may stand where every tick passes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from math import inf
from threading import Lock


class Buckets:
    """How often a time was how long: counts under fixed bounds, in seconds.

    For one writer, a thread or an event loop; others may read meanwhile. `counts` has one more than
    `bounds`: what was above them all.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, *bounds: float) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0  # seconds

    def note(self, seconds: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += times
        self.total += seconds * times

    def as_dict(self) -> dict[float, int]:
        """Its bounds and how many were within each, all below included; within `inf` are all."""
        return dict(zip((*self.bounds, inf), accumulate(list(self.counts)), strict=True))

    def __len__(self) -> int:
        return sum(self.counts)


class Counts:
    """Numbers by name, of a set that is known and small. Safe from any thread."""

    def __init__(self, names: Iterable[str]) -> None:
        self._lock = Lock()
        self._counts = Counter(dict.fromkeys(names, 0))

    def add(self, name: str, times: int = 1) -> None:
        """One more, or so many. A name that is not known counts as `other`: names have a bound."""
        with self._lock:
            self._counts[name if name in self._counts else "other"] += times

    def as_dict(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)
