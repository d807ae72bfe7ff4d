"""The state of a session, and the signals that announce a change or a reminder.

The types here are the only description of a session outside the database: REST answers with them,
the socket sends them, and both documents (OpenAPI, AsyncAPI) are made from them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import msgspec
from django.dispatch import Signal

ChangeKind = Literal[
    "created",
    "edited",
    "tasks_edited",
    "started",
    "paused",
    "resumed",
    "extended",
    "completed",
    "finished",
    "cancelled",
    "deleted",
]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]  # in both documents: `date-time`
ENDS = frozenset({"completed", "finished", "cancelled"})


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable typed value."""

    def as_json(self) -> Any:
        """As plain dicts, lists, strings (ISO 8601 for instants) and numbers."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_json(cls, plain: Any) -> Self:
        """The value that `as_json` was made from."""
        return msgspec.convert(plain, cls)


class TimerState(Value, frozen=True, kw_only=True):
    """The countdown, in milliseconds; `focused_ms` and `remaining_ms` as of `server_time`."""

    status: Literal["ready", "running", "paused", "completed", "finished", "cancelled"]
    version: int
    remaining_ms: int
    ends_at: Instant | None
    started_at: Instant | None
    ended_at: Instant | None
    focused_ms: int
    planned_ms: int
    server_time: Instant


class TaskState(Value, frozen=True, kw_only=True):
    """A task of a session; `duration` in minutes, `session` the session's id."""

    id: int
    title: str
    duration: int
    session: int
    created_at: Instant
    done: bool


class SessionState(Value, frozen=True, kw_only=True):
    """A whole session: `duration` in minutes, `user` the owner's id, `image` a URL or null."""

    id: int
    title: str
    duration: int
    image: str | None
    sound: str
    created_at: Instant
    user: int
    reminders: list[int] | None
    tasks: list[TaskState]
    timer: TimerState


class SpaceState(Value, frozen=True, kw_only=True):
    """A body in the user's sky of one month ("2026-11"), 800 x 300. `hue` in degrees."""

    id: int
    session: int
    type: Literal["star", "planet"]
    x: int
    y: int
    image: str
    created_at: Instant
    title: str
    focused_minutes: int
    radius: int
    hue: int
    seed: int
    month: str


class SessionChanged(Value, frozen=True, kw_only=True):
    """One committed change: its row of the log, and the states that a frame needs.

    `state` is the session after the change, None when it was deleted.
    """

    user_id: int
    revision: int
    session_id: int
    version: int
    kind: ChangeKind
    at: Instant
    device: str
    data: dict[str, Any]
    state: SessionState | None
    task: TaskState | None = None  # the task that was added or edited
    task_deleted: int | None = None
    space: SpaceState | None = None  # of an end: the star or planet

    @property
    def late_ms(self) -> int | None:
        """Of an end: how long after the deadline it was recorded."""
        return self.data.get("late_ms")


class Reminded(Value, frozen=True, kw_only=True):
    """A running session has reached an offset before its end. The session did not change."""

    user: int
    session: int
    version: int
    remaining_ms: int
    offset_s: int


# Sent after the commit, with `send_robust`: a receiver that fails cannot undo what is committed.
session_changed = Signal()  # change: SessionChanged
session_reminded = Signal()  # reminder: Reminded
