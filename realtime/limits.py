"""How much a client may send on one socket before it is asked to leave."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

FRAMES_PER_S = 2.0  # 20 in 10 s
BURST = 40
BAD_FRAMES = 5
BAD_FRAMES_WINDOW_S = 60.0


class FrameBudget:
    """A token bucket: bursts of `BURST`, in the long run `FRAMES_PER_S`. `now` in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left = float(BURST)
        self._at = now()

    def spend(self) -> bool:
        """Takes one frame from the budget. False if there is none left."""
        now = self._now()
        self._left = min(BURST, self._left + (now - self._at) * FRAMES_PER_S)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class BadFrames:
    """Counts bad frames within a minute."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._times: deque[float] = deque(maxlen=BAD_FRAMES)

    def one_more(self) -> bool:
        """True if that was one too many."""
        self._times.append(self._now())
        full = len(self._times) == BAD_FRAMES
        return full and self._times[-1] - self._times[0] < BAD_FRAMES_WINDOW_S
