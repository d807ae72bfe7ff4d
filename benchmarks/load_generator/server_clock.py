"""The server's clock as one device knows it, from pings (docs/protocol.md, "The clock")."""

from __future__ import annotations

from collections import deque
from typing import Any


class ServerClock:
    """All in milliseconds; `at` by this machine's monotonic clock."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=8)  # round trip, offset

    def forget(self) -> None:
        """Another connection may lead to another process, and the machine may have slept."""
        self._samples.clear()

    def take(self, pong: dict[str, Any], at: float) -> float:
        """Learns from a pong that arrived at this moment. The round trip."""
        there = pong["server_received"] - pong["client_time"]
        back = pong["server_sent"] - at
        self._samples.append((there - back, (there + back) / 2))
        return float(there - back)

    @property
    def is_known(self) -> bool:
        return bool(self._samples)

    @property
    def unsure_ms(self) -> float:
        """How wrong it may be: half of the least round trip."""
        return min(self._samples)[0] / 2

    def now(self, at: float) -> float:
        """The server's clock at this moment, since 1970. Only where it is known."""
        return at + min(self._samples)[1]
