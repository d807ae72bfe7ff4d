"""How much a client may send on one socket, and how often a user's devices may connect.

Each process counts for itself (ADR 19).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

FRAMES_PER_S = 2.0  # 20 in 10 s
BURST = 40
CHANGES_PER_FRAME = 20  # missed changes in a `ready` cost the client one frame for so many

# Frames of any kind, as the server library reads them: also pings, pongs and fragments of messages,
# which are not counted above. Far more than a client has reason to send.
WIRE_FRAMES_PER_S = 20.0
WIRE_BURST = 200

BAD_FRAMES = 5
BAD_FRAMES_WINDOW_S = 60.0

# All the sockets that a user may have, six times in a minute: on an unstable network all of them
# reconnect again and again, and are still admitted.
CONNECT_ROUNDS = 6
CONNECT_WINDOW_S = 60.0


class Budget:
    """A token bucket: bursts of `burst`, in the long run `per_s`. `now` in seconds."""

    __slots__ = ("_at", "_burst", "_left", "_now", "_per_s")

    def __init__(self, now: Callable[[], float], per_s: float, burst: int) -> None:
        self._now = now
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._at = now()

    def spend(self, count: int = 1) -> bool:
        """Takes `count` from the budget. If fewer are left it takes none, and gives False."""
        now = self._now()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < count:
            return False
        self._left -= count
        return True

    def charge(self, count: int) -> None:
        """Takes `count`, or all that are left: for work that has been done already."""
        self._left = max(0.0, self._left - count)


def frame_budget(now: Callable[[], float]) -> Budget:
    """The messages of one socket."""
    return Budget(now, FRAMES_PER_S, BURST)


def wire_budget(now: Callable[[], float]) -> Budget:
    """The frames of one socket, of any kind."""
    return Budget(now, WIRE_FRAMES_PER_S, WIRE_BURST)


class BadFrames:
    """Counts bad frames within a minute."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._times: list[float] = []  # the last few; most sockets never have one

    def one_more(self) -> bool:
        """True if that was one too many."""
        self._times = [*self._times[1 - BAD_FRAMES :], self._now()]
        full = len(self._times) == BAD_FRAMES
        return full and self._times[-1] - self._times[0] < BAD_FRAMES_WINDOW_S


class ConnectRate:
    """How often each user's devices connect here. Users that have not for a while are dropped."""

    def __init__(self, now: Callable[[], float], sockets_per_user: int) -> None:
        self._now = now
        self._burst = CONNECT_ROUNDS * sockets_per_user
        self._budgets: OrderedDict[int, tuple[Budget, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._budgets)

    def allows(self, user_id: int) -> bool:
        """Counts one more connection. False if that is one too many."""
        now = self._now()
        while self._budgets:
            user, (_, connected_at) = next(iter(self._budgets.items()))
            if now - connected_at <= CONNECT_WINDOW_S:
                break  # the budgets of the others are not full again
            del self._budgets[user]
        if user_id in self._budgets:
            budget = self._budgets.pop(user_id)[0]  # to the end: the last to connect is last
        else:
            budget = Budget(self._now, self._burst / CONNECT_WINDOW_S, self._burst)
        self._budgets[user_id] = (budget, now)
        return budget.spend()
