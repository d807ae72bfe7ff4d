"""The only way to change a user's sessions: lock, apply a rule, save, log, announce.

    with turn(by) as t:                     # transaction; lock of the user's row; then the clock
        session = t.open(session_id, seen)  # the user's own, locked; 404 and 412 come from here
        ...                                 # apply a rule
        t.record(session, "paused")         # save, version + 1, revision + 1, log row, announcement

Raising the user's revision takes the lock, so the changes of one user are made one after the other,
and each has its own revision. A refusal rolls the raise back. The same statement limits how fast
the user's log grows; changes by the timekeeper have no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from accounts.models import User
from runtime.database import bulk
from runtime.failpoints import failpoint
from sessions_app.events import (
    ChangeKind,
    Reminded,
    SessionChanged,
    SessionState,
    session_changed,
    session_reminded,
)
from sessions_app.exceptions import Conflict, NotFound, StaleVersion, TooManyChanges
from sessions_app.models import Session, SessionEvent

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Actor:
    """The user who makes a change, and the name of the device (for the log)."""

    user_id: int
    device: str = ""


class Turn:
    """A unit of work that holds the user's row: no other change of this user runs meanwhile."""

    def __init__(self, by: Actor) -> None:
        self.by = by
        self.user = User(pk=by.user_id)
        self._revision, self.now, a_day_of_changes_ago = _raise_revision(by.user_id)
        if a_day_of_changes_ago is not None:
            _refuse_before(a_day_of_changes_ago + DAY, self.now)
        self._revision_used = False
        self._session: Session | None = None

    def open(self, session_id: int, seen: int | None = None) -> Session:
        """The user's session, locked. Raises `NotFound`, or `StaleVersion` if `seen` is old."""
        session = (
            Session.objects.owned_by(self.by.user_id)
            .select_related("user")
            .select_for_update(of=("self",))
            .filter(pk=session_id)
            .first()
        )
        if session is None:
            raise NotFound
        self.now = max(self.now, session.updated_at)  # a session's time never runs backwards
        self._session = session
        if seen is not None and seen != session.version:
            raise StaleVersion
        return session

    def other_active(self, session: Session) -> Session | None:
        """The user's running or paused session besides this one, locked."""
        other = (
            Session.objects.owned_by(self.by.user_id)
            .active()
            .exclude(pk=session.pk)
            .select_related("user")
            .select_for_update(of=("self",))
            .first()
        )
        if other is not None:
            self.now = max(self.now, other.updated_at)
        return other

    def record(
        self, session: Session, kind: ChangeKind, data: dict[str, Any] | None = None, **states: Any
    ) -> SessionState:
        """Saves the session, writes the log and announces the change on commit.

        `data` is for the log, `states` for the announcement. Gives the session's new state.
        """
        session.version += 1
        session.updated_at = self.now
        session.save(force_insert=session._state.adding, update_fields=_columns(session))
        state = session.state(self.now)
        self._log(session, kind, data, state=state, **states)
        return state

    def nothing_changed(self, session: Session) -> SessionState:
        """Rolls back: the session is already as requested, so the revision stays."""
        state = session.state(self.now)
        transaction.set_rollback(True)
        return state

    def record_deletion(self, session: Session) -> None:
        """Deletes the session. Its log stays, with the deletion as its last row."""
        session.version += 1
        session.updated_at = self.now
        self._log(session, "deleted", None, state=None)
        session.delete()

    def refused_state(self) -> SessionState | None:
        """The state that a refusal carries."""
        if self._session is None:
            return None
        return Session.objects.prefetch_related("tasks").get(pk=self._session.pk).state(self.now)

    def _log(
        self, session: Session, kind: ChangeKind, data: dict[str, Any] | None, **states: Any
    ) -> None:
        log_and_announce(
            change_of(session, kind, self._next_revision(), data, device=self.by.device, **states)
        )

    def _next_revision(self) -> int:
        if self._revision_used:
            self._revision, *_ = _raise_revision(self.by.user_id)
        self._revision_used = True
        return self._revision


@contextmanager
def turn(by: Actor) -> Iterator[Turn]:
    """A transaction that holds the user's row. A refusal carries the session's current state.

    Raises `NotFound` for a user who is gone.
    """
    with transaction.atomic():
        t = Turn(by)
        try:
            yield t
            failpoint("change_written")
        except (Conflict, StaleVersion) as refusal:
            if refusal.state is None:
                refusal.state = t.refused_state()
            raise


def change_of(
    session: Session,
    kind: ChangeKind,
    revision: int,
    data: dict[str, Any] | None = None,
    *,
    device: str,
    **states: Any,
) -> SessionChanged:
    """The change that has given the session its version. `states`: those of `SessionChanged`."""
    return SessionChanged(
        user_id=session.user_id,
        revision=revision,
        session_id=session.pk,
        version=session.version,
        kind=kind,
        at=session.updated_at,
        device=device,
        data=data or {},
        **states,
    )


def log_and_announce(*changes: SessionChanged) -> None:
    """Writes the changes to the log, and announces them once they are committed.

    A receiver that fails is logged; it undoes nothing.
    """
    bulk.insert(SessionEvent, changes)
    transaction.on_commit(partial(_send_changes, changes))


def announce_reminders(*reminders: Reminded) -> None:
    """Announces reminders once the transaction is committed. They are not in the log."""
    transaction.on_commit(partial(_send_reminders, reminders))


def _send_changes(changes: tuple[SessionChanged, ...]) -> None:
    failpoint("committed")
    for change in changes:
        session_changed.send_robust(sender=SessionChanged, change=change)


def _send_reminders(reminders: tuple[Reminded, ...]) -> None:
    for reminder in reminders:
        session_reminded.send_robust(sender=Reminded, reminder=reminder)


def _refuse_before(free: datetime, now: datetime) -> None:
    if free > now:
        raise TooManyChanges(retry_after_s=ceil((free - now).total_seconds()))


def _raise_revision(user_id: int) -> tuple[int, datetime, datetime | None]:
    """Locks the user's row by raising its revision. The clock is read after the lock was got.

    The third value: the time of the change that is as many changes ago as a day may have.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_user SET revision = revision + 1 WHERE id = %s"
            " RETURNING revision, date_trunc('milliseconds', clock_timestamp()),"
            " (SELECT log.at FROM sessions_app_sessionevent log WHERE log.user_id ="
            " accounts_user.id AND log.revision = accounts_user.revision - %s)",
            [user_id, settings.LIMIT_CHANGES_PER_DAY],
        )
        row: tuple[int, datetime, datetime | None] | None = cursor.fetchone()
    if row is None:
        raise NotFound
    return row


def _columns(session: Session) -> list[str] | None:
    if session._state.adding:
        return None
    # A trigger keeps `task_minutes`; writing an old value would undo its work.
    return [
        f.attname for f in session._meta.concrete_fields if f.name not in {"id", "task_minutes"}
    ]
