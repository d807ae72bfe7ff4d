"""Quantiles, as the load client takes them."""

from __future__ import annotations

from collections.abc import Sequence


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which a share `q` of them lies: one of them, never one in between.

    -1 for none at all.
    """
    if not values:
        return -1.0
    return sorted(values)[int(q * (len(values) - 1))]
