"""What can go wrong with a session, each with a stable `code` that clients read.

    SessionError
    |-- NotFound                    missing, or somebody else's: the same answer
    |-- InvalidInput                a value is out of range; names the field
    |   |-- ImageInvalid
    |-- StaleVersion                the sender saw an older version
    |-- IdempotencyInProgress       the first request with this key still runs
    |-- IdempotencyMismatch         the key was used for another request
    |-- StorageFailed               a picture cannot be stored or read now: the disk is full
    |-- Busy                        too many want the same at once
    |   |-- TooManyChanges          of one user in a day
    |   |-- TooManyKeys             the same of answers that are kept
    |-- Conflict                    the rules do not allow it now
        |-- IllegalTransition       not in this status
        |-- AlreadyDue              the deadline has come; the end wins
        |-- AnotherSessionIsActive  one at a time
        |-- Started                 the duration is fixed once started
        |-- TaskBudgetExceeded      the tasks' minutes would not fit
        |-- QuotaExceeded           the user keeps as much as anybody may

The translation to HTTP is in `api/errors.py`, the one to the socket in
`realtime/sockets/commands.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from sessions_app.events import SessionState


class SessionError(Exception):
    """The base of all of them. `state` is the session as it stands, where that helps the sender."""

    code: ClassVar[str] = "invalid"
    sentence: ClassVar[str] = "The request is not valid."

    def __init__(self, sentence: str | None = None, *, state: SessionState | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.state = state


class NotFound(SessionError):
    """There is no such thing, or it is another user's: nobody can tell which."""

    code = "not_found"
    sentence = "Nothing is here."


class InvalidInput(SessionError):
    """A value is malformed or out of range. `fields` maps each field to its sentences."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__(next((sentences[0] for sentences in fields.values()), None))
        self.fields = fields


class ImageInvalid(InvalidInput):
    """The image cannot be used."""

    code = "image_invalid"


class StaleVersion(SessionError):
    """The command was sent for a version of the session that is not the current one."""

    code = "stale_version"
    sentence = "The session has changed since the version that you saw."


class IdempotencyInProgress(SessionError):
    """The first request with this key has not finished yet; it will have in `retry_after_s`."""

    code = "idempotency_in_progress"
    retry_after_s = 1
    sentence = "The first request with this key is still running."


class IdempotencyMismatch(SessionError):
    """The key belongs to a request with another content."""

    code = "idempotency_mismatch"
    sentence = "This key was used for another request."


class StorageFailed(SessionError):
    """The disk is full, or for reading only, or away. Nothing has changed."""

    code = "unavailable"
    sentence = "The picture cannot be stored at the moment. Please try again."
    retry_after_s = 10


class Busy(SessionError):
    """Too many want the same at once; it may work in `retry_after_s` seconds."""

    code = "throttled"  # as every 429
    sentence = "Too many requests at once. Please try again in a moment."
    retry_after_s = 5


class TooManyChanges(Busy):
    """The user's log would grow by more than anybody's may in a day."""

    sentence = "You have changed too much within a day. Please try again later."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class TooManyKeys(Busy):
    """The answers that are kept for a day by their keys take as much as anybody's may."""

    sentence = "You have sent too many requests with a key within a day. Please try again later."
    retry_after_s = 3600


class Conflict(SessionError):
    """The rules do not allow it as things stand."""


class IllegalTransition(Conflict):
    """The session's status does not allow this action."""

    code = "illegal_transition"
    sentence = "The session's status does not allow this."


class AlreadyDue(Conflict):
    """The deadline has come: the session is ending by itself."""

    code = "already_due"
    sentence = "The session has just reached its end."


class AnotherSessionIsActive(Conflict):
    """The user's other session is running or paused; `state` is that one's."""

    code = "another_session_is_active"
    sentence = "Another session is active."


class Started(Conflict):
    """The duration cannot be edited once the session was started."""

    code = "started"
    sentence = "The duration cannot be changed once the session was started."


class TaskBudgetExceeded(Conflict):
    """The minutes of the tasks would exceed the session's duration."""

    code = "task_budget_exceeded"
    sentence = "The tasks would take more minutes than the session has."


class QuotaExceeded(Conflict):
    """The user keeps as much of it as anybody may; deleting some of it makes room."""

    code = "quota_exceeded"
    sentence = "You keep as much as anybody may. Delete some of it first."
