"""The rules of a countdown: what may happen to it, and how much time is left.

    ready --start--> running --(deadline)--> completed
                     |  ^  \\--finish-------> finished     (ended early, kept)
                pause|  |resume
                     v  |
                    paused --finish--> finished           running | paused --cancel--> cancelled

Pure Python: no database and no clock. `now` is always an argument, so tests can try each rule at
any instant. Nothing is decremented: a running countdown has its deadline, a paused one its
remaining time, and the focused time is the planned time less the remaining time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sessions_app.exceptions import AlreadyDue, IllegalTransition, InvalidInput

ZERO = timedelta()
MOST_LEFT = timedelta(hours=24)  # a focus session is not a calendar


class Status(StrEnum):
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FINISHED = "finished"
    CANCELLED = "cancelled"


ACTIVE = frozenset({Status.RUNNING, Status.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Countdown:
    """One countdown as it stands. Each action returns the next one, or raises.

    `ends_at` is there only while running, `remaining` only while paused, `focused` only once ended.
    """

    status: Status = Status.READY
    planned: timedelta
    ends_at: datetime | None = None
    remaining: timedelta | None = None
    focused: timedelta | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    # -- questions -------------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    def is_due(self, now: datetime) -> bool:
        """True from the deadline on, until it is ended."""
        return self.ends_at is not None and now >= self.ends_at

    def remaining_at(self, now: datetime) -> timedelta:
        """The time left at `now`; never negative, zero once ended."""
        if self.ends_at is not None:
            return max(ZERO, self.ends_at - now)
        if self.remaining is not None:
            return self.remaining
        return self.planned if self.status is Status.READY else ZERO

    def focused_at(self, now: datetime) -> timedelta:
        """The sum of the running intervals up to `now`."""
        if self.focused is not None:
            return self.focused
        return self.planned - self.remaining_at(now)

    # -- actions ---------------------------------------------------------------------------------

    def start(self, now: datetime) -> Countdown:
        self._only_from(Status.READY)
        return replace(self, status=Status.RUNNING, started_at=now, ends_at=now + self.planned)

    def pause(self, now: datetime) -> Countdown:
        self._only_from(Status.RUNNING)
        self._not_due(now)
        return replace(self, status=Status.PAUSED, ends_at=None, remaining=self.remaining_at(now))

    def resume(self, now: datetime) -> Countdown:
        self._only_from(Status.PAUSED)
        return replace(
            self, status=Status.RUNNING, ends_at=now + self.remaining_at(now), remaining=None
        )

    def extend(self, by: timedelta, now: datetime) -> Countdown:
        """Moves the end by `by`, which may be negative; taking away all that is left finishes it.

        Raises `InvalidInput` if more than 24 hours would be left.
        """
        self._only_from(Status.RUNNING, Status.PAUSED)
        self._not_due(now)
        left = self.remaining_at(now) + by
        if left <= ZERO:
            return self.finish(now)
        if left > MOST_LEFT:
            raise InvalidInput({"seconds": ["At most 24 hours may be left."]})
        longer = replace(self, planned=self.planned + by)
        if self.ends_at is not None:
            return replace(longer, ends_at=self.ends_at + by)
        return replace(longer, remaining=left)

    def finish(self, now: datetime) -> Countdown:
        """Ended early by the user, and kept."""
        return self._ended(Status.FINISHED, now)

    def cancel(self, now: datetime) -> Countdown:
        return self._ended(Status.CANCELLED, now)

    def complete(self, now: datetime) -> Countdown:
        """The end at the deadline. `ended_at` is the deadline, however late the call is."""
        if self.ends_at is None or now < self.ends_at:
            raise IllegalTransition
        return replace(
            self,
            status=Status.COMPLETED,
            ends_at=None,
            ended_at=self.ends_at,
            focused=self.planned,
        )

    def _ended(self, status: Status, now: datetime) -> Countdown:
        self._only_from(Status.RUNNING, Status.PAUSED)
        self._not_due(now)
        return replace(
            self,
            status=status,
            ends_at=None,
            remaining=None,
            ended_at=now,
            focused=self.focused_at(now),
        )

    def _only_from(self, *allowed: Status) -> None:
        if self.status not in allowed:
            raise IllegalTransition

    def _not_due(self, now: datetime) -> None:
        if self.is_due(now):
            raise AlreadyDue
