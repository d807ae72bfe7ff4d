"""Every message of the wire protocol, typed. The AsyncAPI document is made from these types.

Text frames, one JSON object each, with a `type`. Frames of the client are decoded strictly: a frame
that is not exactly one of the client's messages is a bad frame, whatever else it may be.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sessions_app.changes import Change
from sessions_app.events import (
    ENDS,
    ChangeKind,
    Instant,
    Reminded,
    SessionChanged,
    SessionState,
    SpaceState,
    TaskState,
)

LARGEST_FRAME = 16 * 1024  # bytes
LARGEST_FIRST_FRAME = 8 * 1024  # before authentication: twice the longest token

Id = Annotated[str, Meta(max_length=64)]  # only correlates an answer with its frame
WITHOUT_NUL = r"^[^\u0000]*$"  # for text that is stored: PostgreSQL allows no NUL
# A name on one line: no control characters, none that change the direction of what follows. (No "$"
# at the end, which would let a last newline pass.)
ONE_LINE = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*(?![\s\S])"
Whole = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """One frame."""

    def as_bytes(self) -> bytes:
        """As JSON in UTF-8."""
        return msgspec.json.encode(self)

    def as_text(self) -> str:
        return self.as_bytes().decode()


# -- from the client -----------------------------------------------------------------------------


class Authenticate(Message, frozen=True, kw_only=True, tag="authenticate"):
    """The first frame, and again with a new token. `epoch`, `since`: what the device has seen."""

    token: Annotated[str, Meta(max_length=4096)]
    device: Annotated[str, Meta(max_length=64, pattern=ONE_LINE)] = ""
    epoch: Id | None = None
    since: Whole | None = None


class Command(Message, frozen=True, kw_only=True, tag="command"):
    """An action on a session, as over REST. `seconds` is for extend, `replace` for start."""

    id: Id
    session: Whole
    action: Literal["start", "pause", "resume", "extend", "finish", "cancel"]
    version: Whole | None = None
    key: Annotated[str, Meta(min_length=1, max_length=255, pattern=WITHOUT_NUL)] | None = None
    seconds: int | None = None
    replace: bool | None = None


class Ping(Message, frozen=True, kw_only=True, tag="ping"):
    """A clock sample. `client_time`: milliseconds since 1970 by the client's clock."""

    id: Id | None = None
    client_time: float


class Ticks(Message, frozen=True, kw_only=True, tag="ticks"):
    """How often this device wants a tick: a multiple of 1000 ms, or 0 for none."""

    id: Id | None = None
    every_ms: Annotated[int, Meta(ge=0, le=3_600_000, multiple_of=1000)]


class Sync(Message, frozen=True, kw_only=True, tag="sync"):
    """The device saw a gap in `revision`; it is answered with `ready`."""

    id: Id | None = None
    epoch: Id | None = None
    since: Whole | None = None


Inbound = Authenticate | Command | Ping | Ticks | Sync


# -- from the server -----------------------------------------------------------------------------


class Ready(Message, frozen=True, kw_only=True, tag="ready"):
    """The answer to `authenticate` and to `sync`: the state, and the changes that were missed."""

    connection: str
    user: int
    server_time: Instant
    token_expires_at: Instant
    heartbeat_s: int
    epoch: str
    revision: int
    reset: bool
    active: SessionState | None
    changes: list[Change]


class _OfChange(Message, frozen=True, kw_only=True):
    """Fields of every change: `version` of the session, `revision` of the user."""

    session: int
    version: int
    revision: int
    cause: ChangeKind
    device: str
    state: SessionState | None


class SessionStateFrame(_OfChange, frozen=True, kw_only=True, tag="session.state"):
    """A session has changed; `state` is all of it."""


class SessionEnded(_OfChange, frozen=True, kw_only=True, tag="session.ended"):
    """Once, after the end is committed. `late_ms`: how long after the deadline it was recorded.

    If it was missed and is sent later, `state` may have a version above this one's.
    """

    ended_at: Instant | None
    late_ms: int | None
    space: SpaceState | None


class SessionDeleted(_OfChange, frozen=True, kw_only=True, tag="session.deleted"):
    """The session is gone; `state` is null."""


class TaskChanged(_OfChange, frozen=True, kw_only=True, tag="task.changed"):
    """A task was added or edited; `state` is its whole session."""

    task: TaskState


class TaskDeleted(_OfChange, frozen=True, kw_only=True, tag="task.deleted"):
    """A task is gone; `state` is its whole session."""

    task: int


class SessionTick(Message, frozen=True, kw_only=True, tag="session.tick"):
    """A whole second of the time left: at `server_time`, `remaining_ms` were left. A hint only."""

    session: int
    version: int
    remaining_ms: int
    server_time: Instant


class SessionReminder(Message, frozen=True, kw_only=True, tag="session.reminder"):
    """An offset before the end was reached."""

    session: int
    version: int
    remaining_ms: int
    offset_s: int


class Ack(Message, frozen=True, kw_only=True, tag="ack"):
    """A command was done and is stored."""

    id: str
    session: int
    version: int
    state: SessionState


class Error(Message, frozen=True, kw_only=True, omit_defaults=True, tag="error"):
    """A frame or a command was refused; the socket stays open. Conflicts carry the session."""

    id: str | None
    code: str
    message: str
    session: int | None = None
    version: int | None = None
    state: SessionState | None = None


class Pong(Message, frozen=True, kw_only=True, tag="pong"):
    """Times in milliseconds since 1970, the server's by the database's clock."""

    id: str | None
    client_time: float
    server_received: float
    server_sent: float


class Heartbeat(Message, frozen=True, kw_only=True, tag="heartbeat"):
    """Nothing else was sent for `heartbeat_s`."""

    server_time: Instant


class Closing(Message, frozen=True, kw_only=True, tag="closing"):
    """Just before the server closes: why, and whether and when to reconnect."""

    code: int
    reason: str
    reconnect: bool
    after_ms: int


Outbound = (
    Ready
    | SessionStateFrame
    | SessionEnded
    | SessionDeleted
    | TaskChanged
    | TaskDeleted
    | SessionTick
    | SessionReminder
    | Ack
    | Error
    | Pong
    | Heartbeat
    | Closing
)


# -- decoding and encoding -----------------------------------------------------------------------


class BadFrame(ValueError):
    """Not one of the client's messages. `id` is the frame's, where it had a usable one."""

    def __init__(self, why: str, id: str | None = None) -> None:
        super().__init__(why)
        self.id = id


_REGEX = re.compile(r"matching regex '.*'(?= - at )")  # no help to the reader of the answer
_decoder: msgspec.json.Decoder[Inbound] = msgspec.json.Decoder(Inbound)


def decode(text: str) -> Inbound:
    """The client's message in this frame. Raises `BadFrame`, and nothing else, whatever comes."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        why = _REGEX.sub("without control characters", str(error).split("\n")[0])
        raise BadFrame(why[:200], _id_in(text)) from None


def _id_in(text: str) -> str | None:
    try:
        return msgspec.json.decode(text, type=_OnlyId).id
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


class _OnlyId(msgspec.Struct):
    id: Id | None = None


def of_change(change: SessionChanged) -> Message:
    """The frame of a change."""
    common: dict[str, Any] = {
        "session": change.session_id,
        "version": change.version,
        "revision": change.revision,
        "cause": change.kind,
        "device": change.device,
        "state": change.state,
    }
    if change.kind in ENDS:
        return SessionEnded(
            **common,
            ended_at=change.state.timer.ended_at if change.state else None,
            late_ms=change.late_ms,
            space=change.space,
        )
    if change.kind == "deleted":
        return SessionDeleted(**common)
    if change.task is not None:
        return TaskChanged(**common, task=change.task)
    if change.task_deleted is not None:
        return TaskDeleted(**common, task=change.task_deleted)
    return SessionStateFrame(**common)


def ends_at_ms(state: SessionState | None) -> int | None:
    """The deadline of a running session, in milliseconds since 1970; else None."""
    ends_at = state.timer.ends_at if state else None
    return None if ends_at is None else round(ends_at.timestamp() * 1000)


def of_reminder(reminder: Reminded) -> Message:
    return SessionReminder(
        session=reminder.session,
        version=reminder.version,
        remaining_ms=reminder.remaining_ms,
        offset_s=reminder.offset_s,
    )
