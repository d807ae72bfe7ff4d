"""A sweep: ends due sessions, or sends due reminders, in one short transaction.

Any number of workers may sweep at once: each takes rows that no other holds (`FOR UPDATE SKIP
LOCKED`), applies the same rule as every other change, and writes sessions, stars and log in bulk. A
session's row and its user's are locked together: every other change holds the user's row, so no
other change of the session can happen in between.

Rows are found by `statement_timestamp()`, which can use the index (`clock_timestamp()` is volatile
and would read every running row). The clock after the lock decides the end. The timestamp stands in
a SELECT, so that the planner cannot estimate how many rows are due: its statistics are older than
a burst, and with their estimate of "hardly any" each batch read and sorted all due rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime

from django.db import Error as DatabaseError
from django.db import connection, transaction

from accounts.models import User
from runtime.database import bulk
from runtime.database.clock import clock_time
from runtime.database.pool import is_transient
from runtime.failpoints import failpoint
from sessions_app.events import Reminded, SessionChanged, TaskState
from sessions_app.ledger import announce_reminders, change_of, log_and_announce
from sessions_app.models import Session, Space, Task, in_ms
from sessions_app.reminders import offset_reached
from sessions_app.services.sky import new_space, sky_of
from sessions_app.sky import Place
from sessions_app.stats import stats

BATCH = 250  # sessions in one transaction, which holds their users' rows: about 0.1 s
_UNUSED_COLUMNS = [
    f"user__{field.name}"
    for field in User._meta.concrete_fields
    if field.name not in {"id", "time_zone", "day_start", "reminders"}
]
_CHANGED = (  # what an end writes
    *("status", "version", "updated_at", "planned_ms", "ends_at", "remaining_ms"),
    *("focused_ms", "ended_at", "reminder_at"),
)
_TASK = TaskState.__struct_fields__

_DUE = """
    SELECT s.id FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id
    WHERE s.status = 'running' AND s.ends_at <= (SELECT statement_timestamp())
        AND s.id <> ALL(%s)
    ORDER BY s.ends_at LIMIT %s
    FOR NO KEY UPDATE OF s, u SKIP LOCKED
"""
_TO_REMIND = """
    SELECT s.id FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id
    WHERE s.reminder_at IS NOT NULL AND s.reminder_at <= (SELECT statement_timestamp())
        AND s.id <> ALL(%s)
    ORDER BY s.reminder_at LIMIT %s
    FOR NO KEY UPDATE OF s, u SKIP LOCKED
"""
_SECONDS_TO_NEXT = """
    SELECT extract(epoch FROM least(
        (SELECT min(ends_at) FROM sessions_app_session WHERE status = 'running'),
        (SELECT min(reminder_at) FROM sessions_app_session WHERE reminder_at IS NOT NULL)
    ) - clock_timestamp())
"""


class SweepFailed(Exception):
    """A sweep failed because of one of these sessions, not because the database was away."""

    def __init__(self, ids: list[int]) -> None:
        super().__init__(f"sessions {ids[:5]}{'...' if len(ids) > 5 else ''}")
        self.ids = ids


def finish_due(limit: int = BATCH, *, leaving: Collection[int] = ()) -> int:
    """Ends up to `limit` sessions whose deadline has come. Gives how many it ended.

    `leaving`: ids of sessions to skip. Raises `SweepFailed`, and the database's errors.
    """
    with _taken(_DUE, limit, leaving) as sessions:
        if not sessions:
            return 0
        now = clock_time()
        due = [s for s in sessions if s.countdown.is_due(now)]
        changes = _complete(due, now)
    for change in changes:  # not before the commit
        stats.ended += 1
        stats.end_lateness.observe((change.late_ms or 0) / 1000)
    return len(due)


def send_reminders(limit: int = BATCH, *, leaving: Collection[int] = ()) -> int:
    """Announces due reminders, each at most once for a deadline. Gives how many sessions."""
    with _taken(_TO_REMIND, limit, leaving) as sessions:
        if not sessions:
            return 0
        now = clock_time()
        reminders = [r for session in sessions if (r := _reminder(session, now)) is not None]
        announce_reminders(*reminders)
        for session in sessions:
            assert session.reminder_at is not None
            session.arm_reminder(max(now, session.reminder_at))
        bulk.update(Session, sessions, ["reminder_at"])
    stats.reminded += len(reminders)
    return len(sessions)


def seconds_to_next() -> float | None:
    """How long until the next deadline or reminder, by the database's clock; None if none."""
    with connection.cursor() as cursor:
        cursor.execute(_SECONDS_TO_NEXT)
        (seconds,) = cursor.fetchone()
    return None if seconds is None else float(seconds)


@contextmanager
def _taken(query: str, limit: int, leaving: Collection[int]) -> Iterator[list[Session]]:
    """A transaction that holds the sessions which the query picks."""
    with transaction.atomic():
        sessions = _locked(query, limit, leaving)
        try:
            yield sessions
        except Exception as error:
            if isinstance(error, DatabaseError) and is_transient(error):
                raise
            raise SweepFailed([session.pk for session in sessions]) from error


def _locked(query: str, limit: int, leaving: Collection[int]) -> list[Session]:
    """The sessions that the query picks, locked with their users until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(query, [list(leaving), limit])
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return []
    held = Session.objects.filter(pk__in=ids).select_related("user").defer(*_UNUSED_COLUMNS)
    return list(held.order_by("ends_at"))


def _complete(due: list[Session], now: datetime) -> list[SessionChanged]:
    """The end of each: the same rule as every other change, written in bulk."""
    revisions = _raise_revisions([session.user_id for session in due])
    for session in due:
        session.take(session.countdown.complete(now), now)
        session.version += 1
        session.updated_at = max(now, session.updated_at)
    bulk.update(Session, due, _CHANGED)
    spaces = _bodies(due)
    for space, key in zip(spaces, bulk.insert(Space, spaces), strict=True):
        space.pk = key
    tasks = _tasks(due)
    changes = [
        change_of(
            session,
            "completed",
            revisions[session.user_id],
            {"late_ms": in_ms(now - space.created_at), "space": space.pk},
            device="",
            state=session.state(now, tasks[session.pk]),
            space=space.state(),
        )
        for session, space in zip(due, spaces, strict=True)
    ]
    log_and_announce(*changes)
    failpoint("ends_written")
    return changes


def _bodies(ended: list[Session]) -> list[Space]:
    """The star or planet of each, not saved. Each session is of another user."""
    skies = [sky_of(session) for session in ended]
    taken: dict[tuple[int, date], list[Place]] = defaultdict(list)
    users = [session.user_id for session in ended]
    for user, sky, x, y in Space.objects.filter(user_id__in=users, sky__in=set(skies)).values_list(
        "user_id", "sky", "x", "y"
    ):
        taken[user, sky].append((x, y))
    return [
        new_space(session, sky=sky, taken=taken[session.user_id, sky])
        for session, sky in zip(ended, skies, strict=True)
    ]


def _tasks(sessions: list[Session]) -> dict[int, list[TaskState]]:
    """By session, each in the order in which they were added."""
    tasks: dict[int, list[TaskState]] = defaultdict(list)
    with_tasks = [session.pk for session in sessions if session.task_minutes]
    if with_tasks:
        for row in Task.objects.filter(session_id__in=with_tasks).values(*_TASK):
            tasks[row["session"]].append(TaskState(**row))
    return tasks


def _raise_revisions(users: list[int]) -> dict[int, int]:
    """The next revision of each user. Their rows are locked already."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_user SET revision = revision + 1 WHERE id = ANY(%s)"
            " RETURNING id, revision",
            [users],
        )
        return dict(cursor.fetchall())


def _reminder(session: Session, now: datetime) -> Reminded | None:
    """The reminder; None if the user has removed it meanwhile."""
    assert session.ends_at is not None
    assert session.reminder_at is not None
    left = session.countdown.remaining_at(now)
    offset_s = offset_reached(session.ends_at, session.reminder_at)
    if not left or offset_s not in session.reminder_offsets:
        return None
    return Reminded(
        user=session.user_id,
        session=session.pk,
        version=session.version,
        remaining_ms=in_ms(left),
        offset_s=offset_s,
    )
