"""Counters and histograms of all devices together."""

from __future__ import annotations

from collections import Counter, defaultdict

from benchmarks.load_generator.histogram import Histogram


class Tally:
    """`count["ticks"] += 1`, `took["a command"].add(12.5)`: bounded by the number of names."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.took: defaultdict[str, Histogram] = defaultdict(Histogram)
