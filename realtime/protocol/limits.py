"""How much a client may send on one socket before it is asked to leave, and how often it may come.

All of it is counted in each process for itself (ADR 19).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

FRAMES_PER_S = 2.0  # 20 in 10 s
BURST = 40
CHANGES_PER_FRAME = 20  # to be told what one missed costs as much as so many frames

# Of any kind, as the server library reads them: also pings, pongs, and the pieces of a message,
# which never become one for us to count. Far more than a client has reason to send.
WIRE_FRAMES_PER_S = 20.0
WIRE_BURST = 200

BAD_FRAMES = 5
BAD_FRAMES_WINDOW_S = 60.0

# Of a user's devices: all the sockets that one may have, six times over in a minute. Where the
# network comes and goes all of them come again, and still come in.
COMINGS = 6
COMINGS_WINDOW_S = 60.0


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
        """Takes so many from the budget. False, and takes none, if there are not so many left."""
        now = self._now()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < count:
            return False
        self._left -= count
        return True

    def charge(self, count: int) -> None:
        """Takes so many, or all that are left: for what has been done already."""
        self._left = max(0.0, self._left - count)


class FrameBudget(Budget):
    """The messages of one socket."""

    __slots__ = ()

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now, FRAMES_PER_S, BURST)


class WireBudget(Budget):
    """The frames of one socket, of any kind."""

    __slots__ = ()

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now, WIRE_FRAMES_PER_S, WIRE_BURST)


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


class Comings:
    """How often each user's devices came in here. Who has not come for a while is forgotten."""

    def __init__(self, now: Callable[[], float], sockets_per_user: int) -> None:
        self._now = now
        self._burst = COMINGS * sockets_per_user
        self._budgets: OrderedDict[int, tuple[Budget, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._budgets)

    def may_come(self, user_id: int) -> bool:
        """Counts one more. False if that is one too many."""
        now = self._now()
        while self._budgets:
            user, (_, came_at) = next(iter(self._budgets.items()))
            if now - came_at <= COMINGS_WINDOW_S:
                break  # the budget of the others is not whole again
            del self._budgets[user]
        if user_id in self._budgets:
            budget = self._budgets.pop(user_id)[0]  # to the end: they are in order of coming
        else:
            budget = Budget(self._now, self._burst / COMINGS_WINDOW_S, self._burst)
        self._budgets[user_id] = (budget, now)
        return budget.spend()
