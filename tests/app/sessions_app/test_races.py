"""At the same moment, from real threads, each with a connection of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from threading import Event
from typing import Any

import pytest
from django.db import connection, connections

from accounts.models import User
from sessions_app import services
from sessions_app.commands import command
from sessions_app.events import (
    Reminded,
    SessionChanged,
    SessionState,
    session_changed,
    session_reminded,
)
from sessions_app.idempotency import once
from sessions_app.models import IdempotencyKey, Session, SessionEvent, Space
from sessions_app.timekeeper import loop
from tests.support.people import RIVALS, Person, a_crowd_runs, at_once, signed_up, time_passes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _room_for_all(transactional_db: None) -> Iterator[None]:
    """The threads need the connections of the pool, this one's too."""
    yield
    connections.close_all()


@pytest.fixture
def ada(transactional_db: None) -> Person:
    return signed_up("ada")


@pytest.fixture
def endings() -> Iterator[list[SessionChanged]]:
    heard: list[SessionChanged] = []

    def receive(change: SessionChanged, **_: Any) -> None:
        heard.append(change)

    session_changed.connect(receive)
    yield heard
    session_changed.disconnect(receive)


@pytest.fixture
def reminders() -> Iterator[list[Reminded]]:
    heard: list[Reminded] = []

    def receive(reminder: Reminded, **_: Any) -> None:
        heard.append(reminder)

    session_reminded.connect(receive)
    yield heard
    session_reminded.disconnect(receive)


def outcomes(answers: list[Any]) -> Counter[str]:
    """How often which status or error code came out."""
    return Counter(
        a.timer.status if isinstance(a, SessionState) else getattr(a, "code", repr(a))
        for a in answers
    )


def log_is_whole(user_id: int) -> bool:
    """Revisions and versions have no gaps and no repeats, and the sessions are at the last."""
    rows = SessionEvent.objects.filter(user_id=user_id).order_by("revision")
    revisions = [row.revision for row in rows]
    versions: dict[int, list[int]] = {}
    for row in rows:
        versions.setdefault(row.session_id, []).append(row.version)
    last = {s.pk: s.version for s in Session.objects.filter(user_id=user_id)}
    return revisions == list(range(1, len(rows) + 1)) and all(
        seen == list(range(1, len(seen) + 1)) and last.get(pk, seen[-1]) == seen[-1]
        for pk, seen in versions.items()
    )


def test_of_eight_starts_of_eight_sessions_one_wins(ada: Person) -> None:
    sessions = [ada.has_session(f"Session {n}") for n in range(RIVALS)]
    answers = at_once(lambda n: services.start(sessions[n].id, by=ada.actor))
    assert outcomes(answers) == {"running": 1, "another_session_is_active": RIVALS - 1}
    winner = next(a for a in answers if isinstance(a, SessionState))
    losers = [a for a in answers if not isinstance(a, SessionState)]
    assert {loser.state.id for loser in losers} == {winner.id}
    assert Session.objects.filter(status="running").count() == 1
    assert log_is_whole(ada.user_id)


def test_eight_replacing_starts_leave_one_running(ada: Person) -> None:
    sessions = [ada.has_session(f"Session {n}") for n in range(RIVALS)]
    answers = at_once(lambda n: services.start(sessions[n].id, by=ada.actor, replace=True))
    assert outcomes(answers) == {"running": RIVALS}
    assert Counter(Session.objects.values_list("status", flat=True)) == {
        "running": 1,
        "finished": RIVALS - 1,
    }
    assert Space.objects.count() == RIVALS - 1
    assert log_is_whole(ada.user_id)


def test_of_two_devices_that_pause_one_is_refused(ada: Person) -> None:
    session = ada.has_running()
    answers = at_once(lambda _: services.pause(session.id, by=ada.actor), times=2)
    assert outcomes(answers) == {"paused": 1, "illegal_transition": 1}
    refusal = next(a for a in answers if not isinstance(a, SessionState))
    assert refusal.state.timer.status == "paused"


def test_of_two_devices_that_saw_one_version_one_is_stale(ada: Person) -> None:
    session = ada.has_running()
    actions = [services.pause, services.finish]
    answers = at_once(lambda n: actions[n](session.id, by=ada.actor, seen=2), times=2)
    assert outcomes(answers)["stale_version"] == 1
    assert Session.objects.get().version == 3


def test_a_task_and_a_shorter_duration_at_once_never_both_win(ada: Person) -> None:
    session = ada.has_session(duration=25)

    def act(number: int) -> Any:
        if number:
            return services.add_task(session.id, by=ada.actor, title="Outline", duration=20)
        return services.edit(session.id, {"duration": 10}, by=ada.actor)

    answers = at_once(act, times=2)
    assert [getattr(a, "code", "") for a in answers].count("task_budget_exceeded") == 1
    row = Session.objects.get()
    assert row.task_minutes <= row.duration


def test_a_pause_at_the_deadline_and_a_timekeeper_never_both_win(ada: Person) -> None:
    """By the clock the end has come; whichever is first, the session is completed once."""
    for _ in range(5):
        session_id = ada.has_running(duration=1).id
        time_passes(60)
        acts = [loop.finish_due, partial(services.pause, session_id, by=ada.actor)]
        ended, refusal = at_once(lambda n, acts=acts: acts[n](), times=2)  # type: ignore[misc]
        assert refusal.code in {"already_due", "illegal_transition"}
        # It passes over a row that is locked, and comes back 20 ms later.
        assert ended + loop.finish_due() == 1
        assert Session.objects.get(pk=session_id).status == "completed"
    assert log_is_whole(ada.user_id)


def test_a_pause_just_before_the_deadline_and_a_timekeeper_lose_nothing(ada: Person) -> None:
    """Which of them comes first is open; either is whole."""
    session = ada.has_running(duration=1)
    time_passes(59.98)

    def act(number: int) -> Any:
        if number:
            return services.pause(session.id, by=ada.actor)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.03)")  # to the deadline
        return loop.finish_due()

    answers = at_once(act, times=4)
    loop.finish_due()  # one that found the row locked comes back
    row = Session.objects.get()
    assert (row.status, outcomes(answers[1:])["paused"]) in {("paused", 1), ("completed", 0)}
    if row.status == "completed":
        assert row.focused_ms == row.planned_ms
    assert log_is_whole(ada.user_id)


def test_two_timekeepers_end_each_of_two_hundred_sessions_once(
    endings: list[SessionChanged],
) -> None:
    a_crowd_runs(200)
    time_passes(25 * 60)

    def keep(_: int) -> int:
        ended = 0
        while Session.objects.filter(status="running").exists():
            ended += loop.finish_due(limit=7)
        return ended

    assert sum(at_once(keep, times=2)) == 200
    assert Counter(change.kind for change in endings) == {"completed": 200}
    assert len({change.session_id for change in endings}) == 200
    assert Space.objects.count() == 200
    assert SessionEvent.objects.filter(kind="completed").count() == 200
    assert set(User.objects.values_list("revision", flat=True)) == {3}
    assert set(Session.objects.values_list("version", flat=True)) == {3}


def test_two_timekeepers_send_each_of_a_thousand_reminders_once(
    reminders: list[Reminded],
) -> None:
    a_crowd_runs(1_000)
    _all_are_to_be_reminded()

    def keep(_: int) -> int:
        sent = 0
        while Session.objects.filter(reminder_at__isnull=False).exists():
            sent += loop.send_reminders(limit=70)
        return sent

    assert sum(at_once(keep, times=2)) == 1_000
    assert Counter(reminder.offset_s for reminder in reminders) == {300: 1_000}
    assert len({reminder.session for reminder in reminders}) == 1_000
    assert set(User.objects.values_list("revision", flat=True)) == {2}  # they are no changes


def test_a_change_of_the_profile_and_two_timekeepers_send_no_reminder_twice(
    ada: Person, reminders: list[Reminded]
) -> None:
    for _ in range(5):
        session = ada.has_running(duration=10)
        time_passes(5 * 60)
        acts = [
            loop.send_reminders,
            loop.send_reminders,
            partial(ada.patch, "/users/me/", {"reminders": [300, 60]}),
        ]
        at_once(lambda n: acts[n](), times=3)  # noqa: B023 -- done before the next round
        loop.send_reminders()
        assert Session.objects.get(pk=session.id).reminder_at is not None  # the one of a minute
        services.finish(session.id, by=ada.actor)
    sent = Counter((reminder.session, reminder.offset_s) for reminder in reminders)
    assert set(sent.values()) <= {1}


def _all_are_to_be_reminded() -> None:
    """Each session has 299 s left, and the reminder at 300 s has not been sent."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET reminders = '[300]'")
        cursor.execute(
            "UPDATE sessions_app_session SET ends_at = now() + interval '299 s',"
            " reminder_at = now() - interval '1 s'"
        )


def test_eight_commands_with_one_key_have_one_effect(ada: Person) -> None:
    session = ada.has_running()
    seconds = {"seconds": 60}
    answers = at_once(
        lambda _: command("extend", session.id, seconds, by=ada.actor, key="once").state
    )
    codes = outcomes(answers)
    assert codes["running"] >= 1
    assert set(codes) <= {"running", "idempotency_in_progress"}
    states = [a for a in answers if isinstance(a, SessionState)]
    assert all(state == states[0] for state in states)
    assert Session.objects.get().planned_ms == 26 * 60_000
    assert IdempotencyKey.objects.count() == 1


def test_a_repeat_during_the_first_request_is_in_progress(ada: Person) -> None:
    began, answered = Event(), Event()

    def slowly() -> bool:
        began.set()
        return answered.wait(1.5)

    def act(number: int) -> Any:
        if number == 0:
            return once(ada.user_id, "slow", {}, slowly, bool)
        began.wait(5)
        try:
            return once(ada.user_id, "slow", {}, lambda: False, bool)
        finally:
            answered.set()

    first, second = at_once(act, times=2)
    assert (first.state, first.repeated) == (True, False)
    assert second.code == "idempotency_in_progress"
    again = once(ada.user_id, "slow", {}, lambda: False, bool)
    assert (again.state, again.repeated) == (True, True)
