"""Ends what is due and reminds of what will be, with nobody connected.

Any number of timekeepers may run, without a leader: each takes rows that no other holds (`FOR
UPDATE SKIP LOCKED`) in a short transaction, applies the same rule as every other change, and writes
sessions, stars and log in bulk. A session's row and its user's are taken together, because every
other change holds the user's row: nothing can happen to the session in between.

The sweep looks for rows by `statement_timestamp()`, which can use the index (`clock_timestamp()` is
volatile and would read every running row); the end itself is decided by the clock after the lock.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection, transaction

from sessions_app.clock import database_now
from sessions_app.events import Reminded, SessionChanged, session_reminded
from sessions_app.idempotency import forget_old_keys
from sessions_app.ledger import announce
from sessions_app.models import Session, SessionEvent, Space, in_ms
from sessions_app.reconnect import renew_connections
from sessions_app.reminders import offset_reached
from sessions_app.services import new_space, sky_of

log = logging.getLogger(__name__)

BATCH = 500  # sessions in one transaction: long enough to be quick, short enough to be short
SHORTEST_NAP = 0.020  # seconds; a due row that another worker holds must not make us spin
LONGEST_NAP = 0.250  # seconds; bounds how late a deadline that moved closer is seen
NAP_AFTER_FAILURE = 0.5  # seconds; the database is away
HOUSEKEEPING_EVERY = timedelta(minutes=10)

_DUE = """
    SELECT s.id FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id
    WHERE s.status = 'running' AND s.ends_at <= statement_timestamp()
    ORDER BY s.ends_at LIMIT %s
    FOR NO KEY UPDATE OF s, u SKIP LOCKED
"""
_TO_REMIND = """
    SELECT s.id FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id
    WHERE s.reminder_at IS NOT NULL AND s.reminder_at <= statement_timestamp()
    ORDER BY s.reminder_at LIMIT %s
    FOR NO KEY UPDATE OF s, u SKIP LOCKED
"""
_SECONDS_TO_NEXT = """
    SELECT extract(epoch FROM least(
        (SELECT min(ends_at) FROM sessions_app_session WHERE status = 'running'),
        (SELECT min(reminder_at) FROM sessions_app_session WHERE reminder_at IS NOT NULL)
    ) - clock_timestamp())
"""


def finish_due(limit: int = BATCH) -> int:
    """Ends up to `limit` sessions whose deadline has come. Gives how many it ended."""
    with transaction.atomic():
        sessions = _locked(_DUE, limit)
        if not sessions:
            return 0
        now = database_now()
        due = [s for s in sessions if s.countdown.is_due(now)]
        _complete(due, now)
    return len(due)


def send_reminders(limit: int = BATCH) -> int:
    """Announces the reminders that have come, each at most once for a deadline. Gives how many."""
    with transaction.atomic():
        sessions = _locked(_TO_REMIND, limit)
        if not sessions:
            return 0
        now = database_now()
        for session in sessions:
            _remind(session, now)
        Session.objects.bulk_update(sessions, ["reminder_at"])
    return len(sessions)


def seconds_to_next() -> float | None:
    """How long until the next deadline or reminder, by the database's clock; None if none."""
    with connection.cursor() as cursor:
        cursor.execute(_SECONDS_TO_NEXT)
        (seconds,) = cursor.fetchone()
    return None if seconds is None else float(seconds)


class Timekeeper:
    """Sleeps until the next deadline, ends what is due, and so on until it is told to stop."""

    def __init__(self) -> None:
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        failing = False
        while not self._stopping.is_set():
            try:
                nap = self._round()
                if failing:
                    log.info("the database is back")
                failing = False
            except DatabaseError as error:
                if not failing:
                    log.warning("the database is away, trying again: %s", error)
                failing, nap = True, NAP_AFTER_FAILURE
                renew_connections(error)
            close_old_connections()
            self._stopping.wait(nap)

    def _round(self) -> float:
        """Does what is due, and gives how many seconds to sleep. One statement if nothing is."""
        seconds = seconds_to_next()
        if seconds is not None and seconds <= 0:
            while finish_due() == BATCH and not self._stopping.is_set():
                pass
            while send_reminders() == BATCH and not self._stopping.is_set():
                pass
            seconds = seconds_to_next()
        forget_old_keys(every=HOUSEKEEPING_EVERY)
        return LONGEST_NAP if seconds is None else min(LONGEST_NAP, max(SHORTEST_NAP, seconds))


def _locked(query: str, limit: int) -> list[Session]:
    """The sessions that the query picks, locked with their users until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(query, [limit])
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return []
    return list(
        Session.objects.filter(pk__in=ids)
        .select_related("user")
        .prefetch_related("tasks")
        .order_by("ends_at")
    )


def _complete(due: list[Session], now: datetime) -> None:
    """The end of each: the same rule as every other change, written in bulk."""
    revisions = _raise_revisions(session.user_id for session in due)
    for session in due:
        session.take(session.countdown.complete(now), now)
        session.version += 1
        session.updated_at = max(now, session.updated_at)
    spaces = _bodies(due)
    Session.objects.bulk_update(
        due,
        [
            *("status", "version", "updated_at", "planned_ms", "ends_at", "remaining_ms"),
            *("focused_ms", "ended_at", "reminder_at"),
        ],
    )
    Space.objects.bulk_create(spaces)
    for session, space in zip(due, spaces, strict=True):
        assert session.ended_at is not None
        late_ms = in_ms(now - session.ended_at)
        revision = revisions[session.user_id]
        session.event = SessionEvent(  # type: ignore[attr-defined]
            user_id=session.user_id,
            revision=revision,
            session_id=session.pk,
            version=session.version,
            kind="completed",
            at=session.updated_at,
            data={"late_ms": late_ms, "space": space.pk},
        )
        announce(
            SessionChanged(
                user=session.user_id,
                revision=revision,
                session=session.pk,
                version=session.version,
                cause="completed",
                at=session.updated_at,
                device="",
                state=session.state(now),
                space=space.state(),
                late_ms=late_ms,
            )
        )
    SessionEvent.objects.bulk_create(session.event for session in due)  # type: ignore[attr-defined]


def _bodies(ended: list[Session]) -> list[Space]:
    taken: dict[tuple[int, object], list[tuple[int, int]]] = defaultdict(list)
    skies = {sky_of(session) for session in ended}
    users = {session.user_id for session in ended}
    for user, sky, x, y in Space.objects.filter(user_id__in=users, sky__in=skies).values_list(
        "user_id", "sky", "x", "y"
    ):
        taken[user, sky].append((x, y))
    return [new_space(s, taken=taken[s.user_id, sky_of(s)]) for s in ended]


def _raise_revisions(users: Iterable[int]) -> dict[int, int]:
    """The next revision of each user. Their rows are held already; one active session each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_user SET revision = revision + 1 WHERE id = ANY(%s)"
            " RETURNING id, revision",
            [list(users)],
        )
        return dict(cursor.fetchall())


def _remind(session: Session, now: datetime) -> None:
    """Announces what has come, and arms the next one of this deadline."""
    assert session.ends_at is not None
    assert session.reminder_at is not None
    left = session.countdown.remaining_at(now)
    if left:
        reminder = Reminded(
            user=session.user_id,
            session=session.pk,
            version=session.version,
            remaining_ms=in_ms(left),
            offset_s=offset_reached(session.ends_at, session.reminder_at),
        )
        transaction.on_commit(
            partial(session_reminded.send_robust, sender=Reminded, reminder=reminder)
        )
    session.arm_reminder(max(now, session.reminder_at))
