"""The errors of the domain, each with a stable `code` that clients read.

    SessionError
    |-- NotFound                    missing, or another user's: the same answer
    |-- InvalidInput                a value is malformed or out of range; names the field
    |   |-- ImageInvalid
    |-- StaleVersion                the sender saw an older version
    |-- IdempotencyInProgress       the first request with this key still runs
    |-- IdempotencyMismatch         the key was used for another request
    |-- StorageFailed               a picture cannot be stored or read now: the disk is full
    |-- Busy                        too many requests at once
    |   |-- TooManyChanges          of one user in a day
    |   |-- TooManyKeys             too many stored answers of one user
    |-- Conflict                    the rules do not allow it now
        |-- IllegalTransition       not in this status
        |-- AlreadyDue              the deadline has come; the end wins
        |-- AnotherSessionIsActive  one at a time
        |-- Started                 the duration is fixed once started
        |-- TaskBudgetExceeded      the tasks' minutes would not fit
        |-- QuotaExceeded           the user's quota is used up

The translation to HTTP is in `api/errors.py`, the one to the socket in
`realtime/sockets/commands.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from sessions_app.events import SessionState


class SessionError(Exception):
    """The base of all. `state` is the session's current state, where that helps the sender."""

    code: ClassVar[str] = "invalid"
    sentence: ClassVar[str] = "The request is not valid."

    def __init__(self, sentence: str | None = None, *, state: SessionState | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.state = state


class NotFound(SessionError):
    """It does not exist, or it is another user's: a client cannot tell which."""

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
    """Too many requests at once; one may succeed in `retry_after_s` seconds."""

    code = "throttled"  # as every 429
    sentence = "Too many requests at once. Please try again in a moment."
    retry_after_s = 5


class TooManyChanges(Busy):
    """The user has made as many changes as a day may have."""

    sentence = "You have changed too much within a day. Please try again later."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class TooManyKeys(Busy):
    """The user's stored answers (kept for a day, by key) take as much room as they may."""

    sentence = "You have sent too many requests with a key within a day. Please try again later."
    retry_after_s = 3600


class Conflict(SessionError):
    """The rules do not allow it in the current state."""


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
    """The user's quota is used up; deleting makes room."""

    code = "quota_exceeded"
    sentence = "You keep as much as anybody may. Delete some of it first."
