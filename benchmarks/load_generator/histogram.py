"""Quantiles of any number of values in bounded memory."""

from __future__ import annotations

import math
from collections import Counter

GROWTH = math.log(1.05)  # a bucket is a twentieth wider than the one before: so exact is a quantile
SMALLEST = 0.1  # ms; all below is one bucket


class Histogram:
    """Milliseconds. Between 0.1 ms and an hour that is at most 360 numbers."""

    def __init__(self) -> None:
        self.buckets: Counter[int] = Counter()
        self.count = 0
        self.most = 0.0
        self.least = math.inf

    def add(self, value: float) -> None:
        self.buckets[_bucket(value)] += 1
        self.count += 1
        self.most = max(self.most, value)
        self.least = min(self.least, value)

    def quantile(self, share: float) -> float:
        """The value that this share of all does not exceed, to 5 %. 0 if there is none."""
        left = math.ceil(share * self.count)
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return min(self.most, SMALLEST * math.exp(bucket * GROWTH))
        return self.most

    def __str__(self) -> str:
        if not self.count:
            return "none"
        p50, p99 = self.quantile(0.5), self.quantile(0.99)
        return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {self.most:.1f} ms (n {self.count:,})"


def _bucket(value: float) -> int:
    return 0 if value <= SMALLEST else math.ceil(math.log(value / SMALLEST) / GROWTH)
