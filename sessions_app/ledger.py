"""The one way to change something of a user's: lock, rule, save, log, announce.

    with turn(by) as t:                     # transaction; lock of the user's row; then the clock
        session = t.open(session_id, seen)  # the user's own, locked; 404 and 412 come from here
        ...                                 # apply a rule
        t.record(session, "paused")         # save, version + 1, revision + 1, log row, announcement

Raising the user's revision is what takes the lock, so the changes of one user come one after the
other, and each has its own revision. What was raised is undone when the rule refuses. The same
statement looks how fast the user's log grows: only the timekeeper's changes have no limit.
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
from runtime.failpoints import failpoint
from sessions_app.events import (
    Cause,
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
    """Who asks, and from which device (its name stands in the log)."""

    user_id: int
    device: str = ""


class Turn:
    """A user's turn to change something: nobody else changes anything of theirs meanwhile."""

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
        self, session: Session, kind: Cause, data: dict[str, Any] | None = None, **told: Any
    ) -> SessionState:
        """Saves the session, writes the log and announces the change on commit.

        `data` goes to the log, `told` to those who hear of the change. Gives the state after it.
        """
        session.version += 1
        session.updated_at = self.now
        session.save(force_insert=session._state.adding, update_fields=_columns(session))
        state = session.state(self.now)
        self._log(session.pk, session.version, kind, data, state=state, **told)
        return state

    def nothing_changed(self, session: Session) -> SessionState:
        """Undoes that the revision was raised: what was asked for is there already."""
        state = session.state(self.now)
        transaction.set_rollback(True)
        return state

    def record_deletion(self, session: Session) -> None:
        """Deletes the session; its log stays, and says so in its last row."""
        session_id, version = session.pk, session.version + 1
        session.delete()
        self._log(session_id, version, "deleted", None, state=None)

    def refused_state(self) -> SessionState | None:
        """What the sender of a refused command is shown."""
        if self._session is None:
            return None
        return Session.objects.prefetch_related("tasks").get(pk=self._session.pk).state(self.now)

    def _log(
        self,
        session_id: int,
        version: int,
        kind: Cause,
        data: dict[str, Any] | None,
        **told: Any,
    ) -> None:
        revision = self._next_revision()
        SessionEvent.objects.create(
            user_id=self.by.user_id,
            revision=revision,
            session_id=session_id,
            version=version,
            kind=kind,
            at=self.now,
            device=self.by.device,
            data=data or {},
        )
        announce(
            SessionChanged(
                user=self.by.user_id,
                revision=revision,
                session=session_id,
                version=version,
                cause=kind,
                at=self.now,
                device=self.by.device,
                **told,
            )
        )

    def _next_revision(self) -> int:
        if self._revision_used:
            self._revision, *_ = _raise_revision(self.by.user_id)
        self._revision_used = True
        return self._revision


@contextmanager
def turn(by: Actor) -> Iterator[Turn]:
    """A transaction in which the user's row is held. A refusal carries the state as it stands.

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


def announce(*changes: SessionChanged) -> None:
    """Tells them once they are committed. A receiver that fails is logged, and undoes nothing."""
    transaction.on_commit(partial(_tell, changes))


def announce_reminders(*reminders: Reminded) -> None:
    """The same for reminders, which are no changes."""
    transaction.on_commit(partial(_tell_reminders, reminders))


def _tell(changes: tuple[SessionChanged, ...]) -> None:
    failpoint("committed")
    for change in changes:
        session_changed.send_robust(sender=SessionChanged, change=change)


def _tell_reminders(reminders: tuple[Reminded, ...]) -> None:
    for reminder in reminders:
        session_reminded.send_robust(sender=Reminded, reminder=reminder)


def _refuse_before(free: datetime, now: datetime) -> None:
    if free > now:
        raise TooManyChanges(retry_after_s=ceil((free - now).total_seconds()))


def _raise_revision(user_id: int) -> tuple[int, datetime, datetime | None]:
    """Locks the user's row by raising its revision. The clock is read after the lock was got.

    The third: when the change was made that is as many changes back as a user may make in a day.
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
    # `task_minutes` belongs to the trigger; writing what we once read would undo its work.
    return [
        f.attname for f in session._meta.concrete_fields if f.name not in {"id", "task_minutes"}
    ]
