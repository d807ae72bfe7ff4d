"""The domain's errors as HTTP: a status, and the fields that go into the body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rest_framework.request import Request

from sessions_app import exceptions as e
from sessions_app.api.presenters import shown

_STATUS: list[tuple[type[e.SessionError], int]] = [
    (e.NotFound, 404),
    (e.InvalidInput, 400),
    (e.StaleVersion, 412),
    (e.IdempotencyInProgress, 409),
    (e.IdempotencyMismatch, 422),
    (e.StorageFailed, 503),
    (e.Busy, 429),
    (e.TaskBudgetExceeded, 422),
    (e.QuotaExceeded, 422),
    (e.Conflict, 409),
]


@dataclass(frozen=True, slots=True)
class HttpError:
    status: int
    fields: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def as_http(error: e.SessionError, request: Request) -> HttpError:
    """The status and the extra fields of an error. Conflicts carry the session as it stands."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    if isinstance(error, e.InvalidInput):
        return HttpError(status, dict(error.fields))
    if isinstance(error, e.Busy | e.StorageFailed | e.IdempotencyInProgress):
        return HttpError(status, headers={"Retry-After": str(error.retry_after_s)})
    if error.state is None:
        return HttpError(status)
    timer = error.state.timer
    return HttpError(
        status,
        {"session": error.state.id, "version": timer.version, "state": shown(request, error.state)},
        {"ETag": f'"{timer.version}"'},
    )
