"""The database itself refuses impossible states, for any writer."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from runtime.database.clock import clock_time
from sessions_app import services
from sessions_app.models import IdempotencyKey, Session, SessionEvent, Space, Task
from tests.support.people import Person


def refused_by(constraint: str, write: Any) -> None:
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        write()
    assert constraint in str(refusal.value)


def update(session_id: int, **values: Any) -> Any:
    return lambda: Session.objects.filter(pk=session_id).update(**values)


def test_two_sessions_of_a_user_cannot_be_active(ada: Person) -> None:
    ada.has_running()
    other = ada.has_session()
    for status in (
        {"status": "running", "ends_at": clock_time()},
        {"status": "paused", "remaining_ms": 1},
    ):
        refused_by("one_active_session_per_user", update(other.id, **status))


def test_two_users_can_be_active(ada: Person, eve: Person) -> None:
    ada.has_running()
    eve.has_running()
    assert Session.objects.filter(status="running").count() == 2


NOW = "now"  # the clock of the database
ENDED = {"ended_at": NOW, "focused_ms": 1}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("deadline_only_while_running", {"ends_at": NOW}),
    ("deadline_only_while_running", {"status": "paused", "remaining_ms": 1, "ends_at": NOW}),
    *(
        (constraint, {"status": status, **ENDED, column: value})
        for status in ("completed", "finished", "cancelled")
        for constraint, column, value in (
            ("deadline_only_while_running", "ends_at", NOW),
            ("remaining_only_while_paused", "remaining_ms", 1),
            ("end_only_once_ended", "ended_at", None),
            ("end_only_once_ended", "focused_ms", None),
        )
    ),
    ("deadline_only_while_running", {"status": "running"}),
    ("remaining_only_while_paused", {"remaining_ms": 1}),
    ("remaining_only_while_paused", {"status": "running", "ends_at": NOW, "remaining_ms": 1}),
    ("remaining_only_while_paused", {"status": "paused"}),
    ("end_only_once_ended", {"ended_at": NOW}),
    ("end_only_once_ended", {"focused_ms": 1}),
    ("reminder_only_while_running", {"reminder_at": NOW}),
    ("duration_in_range", {"duration": 0}),
    ("duration_in_range", {"duration": 1441}),
    ("planned_ms_check", {"planned_ms": -1}),
    ("version_check", {"version": -1}),
]


@pytest.mark.parametrize(("constraint", "values"), REFUSED, ids=str)
def test_a_session_in_an_impossible_state_is_refused(
    ada: Person, constraint: str, values: dict[str, Any]
) -> None:
    values = {name: clock_time() if value == NOW else value for name, value in values.items()}
    refused_by(constraint, update(ada.has_session().id, **values))


# -- the minutes of the tasks --------------------------------------------------------------------


def new_task(session_id: int, minutes: int) -> Task:
    return Task.objects.create(
        session_id=session_id, title="Outline", duration=minutes, created_at=clock_time()
    )


def minutes_of(session_id: int) -> int:
    return Session.objects.get(pk=session_id).task_minutes


def test_the_database_sums_the_minutes_by_itself(ada: Person) -> None:
    session, other = ada.has_session(duration=25), ada.has_session(duration=25)
    first, second = new_task(session.id, 10), new_task(session.id, 15)
    assert minutes_of(session.id) == 25
    Task.objects.filter(pk=first.pk).update(duration=F("duration") - 4)
    assert minutes_of(session.id) == 21
    Task.objects.filter(pk=second.pk).update(session_id=other.id)
    assert (minutes_of(session.id), minutes_of(other.id)) == (6, 15)
    Task.objects.all().delete()
    assert (minutes_of(session.id), minutes_of(other.id)) == (0, 0)


def test_tasks_cannot_take_more_minutes_than_the_session_has(ada: Person) -> None:
    session = ada.has_session(duration=25)
    task = new_task(session.id, 25)
    refused_by("task_minutes_within_duration", lambda: new_task(session.id, 1))
    refused_by(
        "task_minutes_within_duration",
        lambda: Task.objects.filter(pk=task.pk).update(duration=26),
    )
    assert minutes_of(session.id) == 25


def test_a_task_cannot_be_moved_to_where_it_does_not_fit(ada: Person) -> None:
    session, short = ada.has_session(duration=25), ada.has_session(duration=5)
    task = new_task(session.id, 10)
    refused_by(
        "task_minutes_within_duration",
        lambda: Task.objects.filter(pk=task.pk).update(session_id=short.id),
    )


def test_a_session_cannot_be_cut_below_its_tasks(ada: Person) -> None:
    session = ada.has_session(duration=25)
    new_task(session.id, 20)
    refused_by("task_minutes_within_duration", update(session.id, duration=19))


def test_a_task_takes_a_minute_at_least(ada: Person) -> None:
    session = ada.has_session()
    refused_by("task_takes_a_minute", lambda: new_task(session.id, 0))


# -- the log -------------------------------------------------------------------------------------


def log_row(user_id: int, *, revision: int, session_id: int, version: int) -> SessionEvent:
    return SessionEvent.objects.create(
        user_id=user_id,
        revision=revision,
        session_id=session_id,
        version=version,
        kind="edited",
        at=clock_time(),
    )


def test_a_version_of_a_session_is_in_the_log_once(ada: Person) -> None:
    session = ada.has_session()
    refused_by(
        "version_unique_per_session",
        lambda: log_row(ada.user_id, revision=2, session_id=session.id, version=1),
    )


def test_a_revision_of_a_user_is_in_the_log_once(ada: Person, eve: Person) -> None:
    session = ada.has_session()
    refused_by(
        "revision_unique_per_user",
        lambda: log_row(ada.user_id, revision=1, session_id=session.id, version=2),
    )
    log_row(eve.user_id, revision=1, session_id=session.id, version=2)  # hers are her own


def test_the_log_outlives_the_session(ada: Person) -> None:
    session = ada.has_session()
    services.delete(session.id, by=ada.actor)
    kinds = SessionEvent.objects.filter(session_id=session.id).values_list("kind", flat=True)
    assert list(kinds) == ["created", "deleted"]


def test_a_session_becomes_one_body(ada: Person) -> None:
    session = services.finish(ada.has_running().id, by=ada.actor)
    body = Space.objects.get(session_id=session.id)
    body.pk = None
    refused_by("session_id", lambda: body.save(force_insert=True))


def test_a_key_of_a_user_has_one_outcome(ada: Person, eve: Person) -> None:
    def keep(user_id: int) -> None:
        IdempotencyKey.objects.create(
            user_id=user_id, key="k", fingerprint="f", outcome={}, created_at=clock_time()
        )

    keep(ada.user_id)
    keep(eve.user_id)
    refused_by("idempotency_key_unique_per_user", lambda: keep(ada.user_id))


def test_deleting_a_user_deletes_all_rows(ada: Person) -> None:
    session = ada.has_running()
    new_task(session.id, 5)
    services.finish(session.id, by=ada.actor)
    ada.user.delete()
    for model in (Session, Task, Space, SessionEvent):
        assert not model.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
