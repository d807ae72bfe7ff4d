"""The same request with the same key happens once, and gets the same answer for 24 hours.

The answer is stored in the transaction of the effect, so a crash leaves both or neither. While the
first request runs it holds an advisory lock of the database, which a crash releases too.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from runtime.database.clock import clock_time
from sessions_app import exceptions
from sessions_app.events import SessionState
from sessions_app.exceptions import (
    Conflict,
    IdempotencyInProgress,
    IdempotencyMismatch,
    NotFound,
    SessionError,
    StaleVersion,
    TooManyKeys,
)
from sessions_app.models import IdempotencyKey

KEPT = timedelta(hours=24)
LONGEST_KEY = 255
SLICE = 1_000  # rows that are deleted at a time

_last_cleaning = 0.0  # on the monotonic clock


def once(
    user_id: int,
    key: str | None,
    request: Any,
    act: Callable[[], Any],
    on_repeat: Callable[[], None] = lambda: None,
) -> Any:
    """Does `act` once for this key and gives its answer (plain JSON); a repeat gets the same one.

    `request` is what was asked, as plain JSON. A refusal by the rules is an answer too, and raised
    again; `on_repeat` is called before an old answer is given. Raises `IdempotencyMismatch`,
    `IdempotencyInProgress` and `TooManyKeys`, and `NotFound` for a user who is gone.
    """
    if key is None:
        return act()
    with transaction.atomic():
        _keep_user(user_id)
        outcome = _known(user_id, key, request)
        if outcome is not None:
            on_repeat()
        else:
            _refuse_without_room(user_id)
            outcome = _outcome(act)
            IdempotencyKey.objects.create(
                user_id=user_id,
                key=key,
                fingerprint=_fingerprint(request),
                outcome=outcome,
                created_at=clock_time(),
            )
    if refusal := outcome.get("refusal"):
        raise _raised_again(refusal)
    return outcome["answer"]


def forget_old_keys(*, every: timedelta) -> None:
    """Deletes what is older than 24 hours, at most once in `every` per process."""
    global _last_cleaning
    if time.monotonic() - _last_cleaning < every.total_seconds() and _last_cleaning:
        return
    old = IdempotencyKey.objects.filter(created_at__lt=clock_time() - KEPT)
    forgotten, _ = IdempotencyKey.objects.filter(pk__in=old.values("pk")[:SLICE]).delete()
    if forgotten < SLICE:
        _last_cleaning = time.monotonic()  # else the rest goes next time: deadlines come first


def _keep_user(user_id: int) -> None:
    """Whose answer is stored is not deleted meanwhile. Raises `NotFound` if they are gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM accounts_user WHERE id = %s FOR KEY SHARE", [user_id])
        if cursor.fetchone() is None:
            raise NotFound


def _refuse_without_room(user_id: int) -> None:
    """An answer may have a hundred kilobytes, and a refusal is one too. Raises `TooManyKeys`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pg_column_size(outcome)), 0)"
            " FROM sessions_app_idempotencykey WHERE user_id = %s",
            [user_id],
        )
        if cursor.fetchone()[0] >= settings.QUOTA_ANSWERS_MIB * 1024 * 1024:
            raise TooManyKeys


def _known(user_id: int, key: str, request: Any) -> dict[str, Any] | None:
    """The outcome of the first request with this key, where there was one."""
    if not _lock(f"{user_id}:{key}"):
        raise IdempotencyInProgress
    row = IdempotencyKey.objects.filter(user_id=user_id, key=key).first()
    if row is None:
        return None
    if row.created_at < clock_time() - KEPT:
        row.delete()
        return None
    if row.fingerprint != _fingerprint(request):
        raise IdempotencyMismatch
    return dict(row.outcome)


def _lock(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])


def _outcome(act: Callable[[], Any]) -> dict[str, Any]:
    try:
        with transaction.atomic():  # what a refused action wrote is undone, its answer is kept
            return {"answer": act()}
    except (Conflict, StaleVersion) as refusal:
        state = refusal.state.as_json() if refusal.state else None
        return {
            "refusal": {"error": type(refusal).__name__, "sentence": str(refusal), "state": state}
        }


def _raised_again(refusal: dict[str, Any]) -> SessionError:
    kind: type[SessionError] = getattr(exceptions, refusal["error"])
    state = refusal["state"]
    return kind(refusal["sentence"], state=state and SessionState.from_json(state))


def _fingerprint(request: Any) -> str:
    # The standard library's JSON takes all that a client can send: lone surrogates, huge numbers.
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
