"""How devices lost their connections, and how long they took to reconnect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.faults.crowd import Roving

EXPECTED = {4503, 1012}  # the close codes of a server that shuts down


def codes(devices: Iterable[Roving], since_ms: float) -> Counter[int]:
    """How often connections closed with each code, from that moment on."""
    return Counter(code for device in devices for at, code in device.losses if at >= since_ms)


def most_at_once(devices: Iterable[Roving], since_ms: float, window_ms: float) -> float:
    """The largest share of all losses from that moment on that came within one window."""
    moments = sorted(at for device in devices for at, _ in device.losses if at >= since_ms)
    first, most = 0, 0
    for last, at in enumerate(moments):
        while moments[first] < at - window_ms:
            first += 1
        most = max(most, last - first + 1)
    return most / max(1, len(moments))


def longest_way_back_s(devices: Iterable[Roving], since_ms: float) -> float:
    """From a loss after that moment until the device was ready again, at worst. All are back."""
    ways = [
        next(came for came in device.comings if came > at) - at
        for device in devices
        for at, _ in device.losses
        if at >= since_ms
    ]
    return max(ways, default=0.0) / 1000
