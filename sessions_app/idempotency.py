"""A request with an idempotency key happens once, and gets the same answer for 24 hours.

The answer is stored in the transaction of the effect, so a crash leaves both or neither. While the
first request runs it holds an advisory lock of the database, which a crash releases too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import msgspec
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

RETENTION = timedelta(hours=24)
LONGEST_KEY = 255
BATCH = 1_000  # rows that are deleted at a time

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """The state after a request. `repeated`: it is the stored answer to an earlier request."""

    state: S
    repeated: bool = False


def once(
    user_id: int, key: str | None, request: Any, act: Callable[[], S], kind: type[S]
) -> Outcome[S]:
    """Calls `act` once for this key. A repeated request gets the first one's answer or refusal.

    `request` is the content of the request as plain JSON, `kind` the type of the answer. A refusal
    by the rules is stored and raised like an answer. Raises `IdempotencyMismatch`,
    `IdempotencyInProgress` and `TooManyKeys`, and `NotFound` for a user who is gone.
    """
    if key is None:
        return Outcome(act())
    fingerprint = _fingerprint(request)
    refusal: SessionError | None = None
    with transaction.atomic():
        _lock_user(user_id)
        if (stored := _stored(user_id, key, fingerprint)) is not None:
            if "refusal" in stored:
                raise _restored(stored["refusal"])
            return Outcome(msgspec.convert(stored["answer"], kind), repeated=True)
        _check_room(user_id)
        try:
            with transaction.atomic():  # undoes what a refused action wrote
                state = act()
            outcome = {"answer": msgspec.to_builtins(state)}
        except (Conflict, StaleVersion) as error:
            refusal = error
            outcome = {"refusal": _as_json(error)}
        IdempotencyKey.objects.create(
            user_id=user_id,
            key=key,
            fingerprint=fingerprint,
            outcome=outcome,
            created_at=clock_time(),
        )
    if refusal is not None:
        raise refusal
    return Outcome(state)


def purge_old_keys() -> bool:
    """Deletes a batch of keys older than 24 hours. True if no more are left."""
    old = IdempotencyKey.objects.filter(created_at__lt=clock_time() - RETENTION)
    deleted, _ = IdempotencyKey.objects.filter(pk__in=old.values("pk")[:BATCH]).delete()
    return deleted < BATCH


def _lock_user(user_id: int) -> None:
    """Keeps the user from being deleted meanwhile. Raises `NotFound` for one who is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM accounts_user WHERE id = %s FOR KEY SHARE", [user_id])
        if cursor.fetchone() is None:
            raise NotFound


def _check_room(user_id: int) -> None:
    """Raises `TooManyKeys` if the user's stored answers, of up to 100 KB each, take too much."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pg_column_size(outcome)), 0)"
            " FROM sessions_app_idempotencykey WHERE user_id = %s",
            [user_id],
        )
        if cursor.fetchone()[0] >= settings.QUOTA_ANSWERS_MIB * 1024 * 1024:
            raise TooManyKeys


def _stored(user_id: int, key: str, fingerprint: str) -> dict[str, Any] | None:
    """The outcome of an earlier request with this key, or None."""
    if not _lock(f"{user_id}:{key}"):
        raise IdempotencyInProgress
    row = IdempotencyKey.objects.filter(user_id=user_id, key=key).first()
    if row is None:
        return None
    if row.created_at < clock_time() - RETENTION:
        row.delete()
        return None
    if row.fingerprint != fingerprint:
        raise IdempotencyMismatch
    return dict(row.outcome)


def _lock(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])


def _as_json(refusal: Conflict | StaleVersion) -> dict[str, Any]:
    state = refusal.state.as_json() if refusal.state else None
    return {"error": type(refusal).__name__, "sentence": str(refusal), "state": state}


def _restored(refusal: dict[str, Any]) -> SessionError:
    kind: type[SessionError] = getattr(exceptions, refusal["error"])
    state = refusal["state"]
    return kind(refusal["sentence"], state=state and SessionState.from_json(state))


def _fingerprint(request: Any) -> str:
    # The standard library's JSON takes all that a client can send: lone surrogates, huge numbers.
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
