"""Sessions end and send reminders while no client is connected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from runtime.database.clock import clock_time
from sessions_app import services
from sessions_app.countdown import Countdown
from sessions_app.events import SessionChanged
from sessions_app.ledger import turn
from sessions_app.models import MILLISECOND, Session, SessionEvent, Space
from sessions_app.reminders import next_reminder, offset_reached
from sessions_app.services import timer
from sessions_app.timekeeper import loop, sweep
from tests.app.sessions_app.conftest import Listen
from tests.support.people import Person, a_crowd_runs, at_once, signed_up, time_passes


def row(session_id: int) -> Session:
    return Session.objects.select_related("user", "space").get(pk=session_id)


# -- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("late_s", [0.0, 0.5, 86_400.0])
def test_a_late_timekeeper_ends_a_session_at_its_deadline(ada: Person, late_s: float) -> None:
    session = ada.has_running(duration=1)
    time_passes(60 + late_s)
    deadline = row(session.id).ends_at
    assert loop.finish_due() == 1
    ended = row(session.id)
    assert (ended.status, ended.ended_at, ended.ends_at) == ("completed", deadline, None)
    assert ended.focused_ms == ended.planned_ms == 60_000


def test_the_log_has_the_time_of_the_end_and_its_lateness(ada: Person) -> None:
    session = ada.has_running(duration=1)
    time_passes(60 + 2)
    before = clock_time()
    loop.finish_due()
    event = SessionEvent.objects.get(session_id=session.id, kind="completed")
    ended_at = row(session.id).ended_at
    assert ended_at is not None
    assert before <= event.at <= clock_time()
    assert event.data["late_ms"] == (event.at - ended_at) // MILLISECOND >= 2_000


def test_a_session_never_ends_early(ada: Person) -> None:
    session = ada.has_running(duration=1)
    time_passes(50)
    assert loop.finish_due() == 0
    assert row(session.id).status == "running"


def test_a_session_never_ends_twice(ada: Person) -> None:
    session = ada.has_running(duration=1)
    time_passes(61)
    assert [loop.finish_due() for _ in range(3)] == [1, 0, 0]
    assert SessionEvent.objects.filter(session_id=session.id, kind="completed").count() == 1
    assert Space.objects.filter(session_id=session.id).count() == 1


@pytest.mark.parametrize("what", ["ready", "paused", "finished", "cancelled"])
def test_only_a_running_session_ends_at_its_deadline(ada: Person, what: str) -> None:
    session = ada.has_session() if what == "ready" else ada.has_running()
    if what != "ready":
        change = {"paused": services.pause, "finished": services.finish}.get(what, services.cancel)
        change(session.id, by=ada.actor)
    time_passes(86_400 * 40)
    assert loop.finish_due() == 0
    assert row(session.id).status == what


def test_the_end_is_announced_whole(ada: Person, announced: Listen) -> None:
    session = ada.has_running(duration=1)
    services.add_task(session.id, by=ada.actor, title="Outline", duration=1)
    time_passes(61)
    with announced() as heard:
        loop.finish_due()
    (change,) = heard
    event = SessionEvent.objects.get(kind="completed")
    assert (change.kind, change.user_id, change.session_id) == (
        "completed",
        ada.user_id,
        session.id,
    )
    assert (change.version, change.revision) == (event.version, event.revision)
    assert (change.late_ms, change.space.id) == (event.data["late_ms"], event.data["space"])
    assert change.state.timer.status == "completed"
    assert [task.title for task in change.state.tasks] == ["Outline"]
    assert change.space == Space.objects.get().state()


def test_a_crowd_ends_in_batches(patient: None) -> None:
    people = [signed_up(f"user{n}") for n in range(5)]
    sessions = [person.has_running(duration=n + 1).id for n, person in enumerate(people)]
    time_passes(3600)
    assert [loop.finish_due(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    order = SessionEvent.objects.filter(kind="completed").order_by("pk")
    assert list(order.values_list("session_id", flat=True)) == sessions  # the longest due first
    assert {person.revision for person in people} == {3}


def test_the_bulk_path_gives_what_a_single_change_would(
    ada: Person, eve: Person, announced: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.getrandbits", lambda _: 7)
    for person in (ada, eve):
        session = person.has_running(duration=45)
        services.add_task(session.id, by=person.actor, title="Outline", duration=5)
    time_passes(45 * 60 + 1)
    with announced() as one_by_one:
        _complete_as_a_single_change(ada)
    with announced() as in_bulk:
        loop.finish_due()
    assert _compared(ada, one_by_one[0]) == _compared(eve, in_bulk[0])


def _complete_as_a_single_change(person: Person) -> None:
    with turn(person.actor) as t:
        session = t.open(Session.objects.get(user_id=person.user_id).pk)
        after = Countdown.complete(session.countdown, t.now)
        timer._record(t, session, after, "completed", {})


def _compared(person: Person, change: SessionChanged) -> dict[str, Any]:
    """Everything of the end, without what differs between two users at two moments."""
    session = Session.objects.get(user_id=person.user_id)
    space = Space.objects.get(user_id=person.user_id)
    event = SessionEvent.objects.get(user_id=person.user_id, kind="completed")
    differs = {"id", "user_id", "created_at", "updated_at", "started_at", "ended_at", "session_id"}
    plain = change.as_json()
    return {
        "session": {f: getattr(session, f) for f in _columns(session) if f not in differs},
        "space": {
            f: getattr(session.space, f) for f in _columns(session.space) if f not in differs
        },
        "born_at_its_end": space.created_at == session.ended_at,
        "log": (event.revision, event.version, event.kind, sorted(event.data)),
        "at": event.at == change.at == session.updated_at,
        "announced": sorted(name for name, value in plain.items() if value is not None),
        "state": plain["state"]["timer"]["focused_ms"],
        "tasks": len(plain["state"]["tasks"]),
        "user": person.revision,
    }


def _columns(instance: Any) -> list[str]:
    return [f.attname for f in instance._meta.concrete_fields]


def test_starting_another_session_ends_one_that_is_due_first(ada: Person) -> None:
    due, other = ada.has_running("Due", duration=1), ada.has_session("Other")
    time_passes(61)
    deadline = row(due.id).ends_at
    assert services.start(other.id, by=ada.actor).timer.status == "running"
    assert (row(due.id).status, row(due.id).ended_at) == ("completed", deadline)


# -- reminders -----------------------------------------------------------------------------------


def reminded(announced: Listen) -> list[tuple[int, int]]:
    """(offset, seconds left) of what is sent now; in tens, rounded up: the machine may be slow."""
    with announced() as heard:
        loop.send_reminders()
    return [(r.offset_s, ceil(r.remaining_ms / 10_000) * 10) for r in heard]


# An action, its argument, and the reminders that a sweep sends after it (None: no sweep).
Step = tuple[str, Any, list[tuple[int, int]] | None]
STORIES: dict[str, list[Step]] = {
    "each offset is announced once": [
        ("wait", 300, [(300, 300)]),
        ("wait", 0, []),
        ("wait", 240, [(60, 60)]),
        ("wait", 0, []),
    ],
    "one of several missed reminders is sent": [("wait", 570, [(300, 30)]), ("wait", 0, [])],
    "an ended session sends no reminder": [("wait", 601, []), ("wait", 0, [])],
    "a session has offsets of its own": [
        ("edit", [120], []),
        ("wait", 479, []),
        ("wait", 2, [(120, 120)]),
    ],
    "a session may have no reminders": [("edit", [], []), ("wait", 599, [])],
    "an extension arms a reminder again": [
        ("wait", 301, [(300, 300)]),
        ("extend", 300, []),
        ("wait", 300, [(300, 300)]),
    ],
    "a shortened session has its reminder earlier": [
        ("extend", -120, []),
        ("wait", 170, []),
        ("wait", 11, [(300, 300)]),
    ],
    "a pause silences, and a resumption arms again": [
        ("wait", 240, []),
        ("pause", None, []),
        ("wait", 1_800, []),
        ("resume", None, []),
        ("wait", 61, [(300, 300)]),
    ],
    "a resumed session does not repeat earlier reminders": [
        ("wait", 301, [(300, 300)]),
        ("pause", None, []),
        ("resume", None, []),
    ],
    "new offsets count at once, and passed ones are not sent": [
        ("wait", 360, None),
        ("edit", [300, 180], []),
        ("wait", 61, [(180, 180)]),
    ],
    "a deadline moved and restored sends no reminder twice": [
        ("wait", 301, [(300, 300)]),
        ("extend", 60, []),
        ("extend", -60, []),
        ("wait", 240, [(60, 60)]),
    ],
    "offsets of the profile count at once": [
        ("profile", [240], []),
        ("wait", 301, []),
        ("wait", 60, [(240, 240)]),
    ],
    "a changed profile sends no reminder of a deadline twice": [
        ("wait", 301, [(300, 300)]),
        ("profile", [], []),
        ("profile", [300, 60], []),
        ("profile", [300, 290], []),
        ("wait", 10, [(290, 290)]),
        ("wait", 280, []),
    ],
}


@pytest.mark.parametrize("story", STORIES)
def test_reminders_follow_the_deadline_and_the_offsets(
    ada: Person, announced: Listen, story: str
) -> None:
    session = ada.has_running(duration=10)  # by default 300 s and 60 s before the end
    for action, argument, expected in STORIES[story]:
        match action:
            case "wait":
                time_passes(argument)
            case "extend":
                services.extend(session.id, argument, by=ada.actor)
            case "edit":
                services.edit(session.id, {"reminders": argument}, by=ada.actor)
            case "profile":
                ada.patch("/users/me/", {"reminders": argument})
            case _:
                getattr(services, action)(session.id, by=ada.actor)
        if expected is not None:
            assert reminded(announced) == expected, (action, argument)


def test_a_profile_changes_neither_a_session_with_a_list_of_its_own_nor_one_that_is_paused(
    ada: Person, announced: Listen
) -> None:
    session = ada.has_running(duration=10, reminders=[300])
    ada.patch("/users/me/", {"reminders": [240]})
    time_passes(5 * 60)
    assert reminded(announced) == [(300, 300)]
    services.pause(session.id, by=ada.actor)
    ada.patch("/users/me/", {"reminders": [200]})
    assert row(session.id).reminder_at is None


def test_a_profile_that_cannot_be_saved_arms_nothing(
    ada: Person, eve: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ada.has_running(duration=10)
    before = row(session.id).reminder_at
    changes = {"reminders": [240], "username": "eve"}
    with transaction.atomic():
        assert ada.patch("/users/me/", changes).status_code == 400
    assert row(session.id).reminder_at == before


def test_a_reminder_is_no_change(ada: Person, announced: Listen) -> None:
    session = ada.has_running(duration=10)
    time_passes(5 * 60)
    before = (row(session.id).version, ada.revision)
    assert reminded(announced)
    assert (row(session.id).version, ada.revision) == before


@given(
    offsets=st.lists(st.integers(1, 86_400), max_size=10),
    left=st.timedeltas(timedelta(), timedelta(hours=24)),
)
def test_the_next_reminder_is_the_first_that_is_still_to_come(
    offsets: list[int], left: timedelta
) -> None:
    after = datetime(2026, 11, 22, 12, tzinfo=UTC)
    ends_at = after + left
    moment = next_reminder(ends_at, offsets, after)
    to_come = [o for o in offsets if timedelta(seconds=o) < left]
    if not to_come:
        assert moment is None
    else:
        assert moment is not None
        assert moment > after
        assert offset_reached(ends_at, moment) == max(to_come)


# -- the loop ------------------------------------------------------------------------------------


def test_the_timekeeper_sleeps_until_the_next_deadline(ada: Person) -> None:
    assert loop.seconds_to_next() is None
    ada.has_running(duration=1, reminders=[])
    seconds = loop.seconds_to_next()
    assert seconds is not None
    assert 55 < seconds <= 60


def test_the_timekeeper_sleeps_until_the_next_reminder(ada: Person) -> None:
    ada.has_running(duration=10)
    seconds = loop.seconds_to_next()
    assert seconds is not None
    assert 295 < seconds <= 300


@pytest.mark.parametrize(
    ("left", "nap"), [(None, 0.250), (9.0, 0.250), (0.1, 0.1), (0.0, 0.020), (-5.0, 0.020)]
)
def test_a_nap_is_neither_too_short_nor_too_long(
    monkeypatch: pytest.MonkeyPatch, left: float | None, nap: float, patient: None
) -> None:
    monkeypatch.setattr(loop, "seconds_to_next", lambda: left)
    assert loop.Timekeeper()._round() == nap


@pytest.fixture
def keeper(transactional_db: None) -> Iterator[Callable[[], None]]:
    """Starts a timekeeper in a thread, and stops it at the end."""
    started: list[tuple[loop.Timekeeper, threading.Thread]] = []

    def start() -> None:
        one = loop.Timekeeper()

        def run() -> None:
            try:
                one.run()
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        started.append((one, thread))
        thread.start()

    yield start
    for one, thread in started:
        one.stop()
        thread.join(10)
        assert not thread.is_alive()
    connections.close_all()


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Looks again and again; the database does the waiting in between."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01)")
    pytest.fail("It did not come about.")


@pytest.mark.django_db(transaction=True)
def test_a_running_timekeeper_ends_due_sessions(keeper: Callable[[], None]) -> None:
    ada = signed_up("ada")
    session = ada.has_running(duration=1)
    keeper()
    time_passes(59.7)
    wait_for(lambda: row(session.id).status == "completed")
    event = SessionEvent.objects.get(kind="completed")
    assert event.data["late_ms"] < 2_000


@pytest.mark.django_db(transaction=True)
def test_the_loop_survives_a_database_that_is_away(
    keeper: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = signed_up("ada")
    session = ada.has_running(duration=1)
    time_passes(61)
    failures = iter([OperationalError("gone"), OperationalError("still gone")])
    finish_due = loop.finish_due

    def away_at_first(limit: int, *, leaving: list[int]) -> int:
        for failure in failures:
            raise failure
        return finish_due(limit, leaving=leaving)

    monkeypatch.setattr(loop, "NAP_AFTER_FAILURE", 0.01)
    monkeypatch.setattr(loop, "finish_due", away_at_first)
    keeper()
    wait_for(lambda: row(session.id).status == "completed")


@pytest.mark.django_db(transaction=True)
def test_the_loop_is_back_at_once_after_all_connections_broke(keeper: Callable[[], None]) -> None:
    """As after a restart of PostgreSQL, in a process whose pool is full."""
    ada = signed_up("ada")
    session = ada.has_running(duration=1)
    at_once(lambda _: Session.objects.exists(), times=18)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
    keeper()
    time_passes(61)
    wait_for(lambda: row(session.id).status == "completed", seconds=6)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_in_the_middle_loses_nothing() -> None:
    ada = signed_up("ada")
    session = ada.has_running(duration=1)
    time_passes(61)
    before = ada.revision

    class Killed(BaseException):
        pass

    def dies() -> None:
        try:
            with transaction.atomic():
                assert loop.finish_due() == 1
                raise Killed
        except Killed:
            pass
        finally:
            connections.close_all()

    thread = threading.Thread(target=dies)
    thread.start()
    thread.join(10)
    assert (row(session.id).status, ada.revision, Space.objects.count()) == ("running", before, 0)
    assert loop.finish_due() == 1
    assert (row(session.id).status, ada.revision) == ("completed", before + 1)
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_a_session_locked_by_another_worker_does_not_delay_the_others() -> None:
    ada, eve = signed_up("ada"), signed_up("eve")
    held, free = ada.has_running(duration=1), eve.has_running(duration=1)
    time_passes(61)
    taken, done = threading.Event(), threading.Event()

    def holds() -> None:
        try:
            with transaction.atomic():
                Session.objects.select_for_update().get(pk=held.id)
                taken.set()
                done.wait(1.5)
        finally:
            connections.close_all()

    thread = threading.Thread(target=holds)
    thread.start()
    assert taken.wait(10)
    assert loop.finish_due() == 1
    assert (row(held.id).status, row(free.id).status) == ("running", "completed")
    done.set()
    thread.join(10)
    assert loop.finish_due() == 1
    connections.close_all()


# -- the plan ------------------------------------------------------------------------------------


@pytest.mark.parametrize("burst", [False, True])
@pytest.mark.parametrize(
    ("query", "index"),
    [
        (sweep._DUE, "session_due"),
        (sweep._TO_REMIND, "session_reminder_due"),
        (sweep._SECONDS_TO_NEXT, "session_due"),
        (sweep._SECONDS_TO_NEXT, "session_reminder_due"),
    ],
)
def test_the_sweep_looks_only_at_the_head_of_an_index(
    patient: None, query: str, index: str, burst: bool
) -> None:
    a_crowd_runs(5_000)
    if burst:
        time_passes(20 * 60)  # and the statistics are old
    with connection.cursor() as cursor:
        arguments = [[1, 2], sweep.BATCH] if "%s" in query else None
        cursor.execute(f"EXPLAIN {query}", arguments)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan
    assert "Seq Scan on sessions_app_session" not in plan
    assert "Sort" not in plan


def test_one_session_that_cannot_be_ended_does_not_keep_the_others_from_ending(
    ada: Person, eve: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = ada.has_running(), eve.has_running()
    time_passes(25 * 60)
    new_space = sweep.new_space

    def refuse_one(session: Session, **more: Any) -> Any:
        if session.pk == bad.id:
            raise RuntimeError("an unexpected error")
        return new_space(session, **more)

    monkeypatch.setattr(sweep, "new_space", refuse_one)
    keeper = loop.Timekeeper()
    keeper._round()
    assert row(good.id).status == "completed"
    assert row(bad.id).status == "running"
    assert f"session {bad.id} cannot be ended" in caplog.text
    monkeypatch.setattr(sweep, "new_space", new_space)
    keeper._round()
    assert row(bad.id).status == "running"  # left alone for a minute
    monkeypatch.setattr(loop, "ASIDE_S", 0.0)
    keeper._round()
    assert row(bad.id).status == "completed"


def test_a_session_that_fails_among_many_costs_a_few_batches(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_crowd_runs(60)
    bad = Session.objects.order_by("ends_at")[17].pk
    time_passes(25 * 60)
    batches = []
    finish_due = loop.finish_due

    def counted(limit: int, *, leaving: list[int]) -> int:
        batches.append(limit)
        return finish_due(limit, leaving=leaving)

    def refuse_one(session: Session, **more: Any) -> Any:
        if session.pk == bad:
            raise RuntimeError("an unexpected error")
        return new_space(session, **more)

    new_space = sweep.new_space
    monkeypatch.setattr(sweep, "new_space", refuse_one)
    monkeypatch.setattr(loop, "finish_due", counted)
    loop.Timekeeper()._round()
    assert list(Session.objects.filter(status="running").values_list("pk", flat=True)) == [bad]
    assert len(batches) < 20


def test_a_wrong_log_keeps_only_its_own_session_from_ending(ada: Person, eve: Person) -> None:
    """The database refuses the end; that is no reason to think that the database is away."""
    bad, good = ada.has_running(), eve.has_running()
    SessionEvent.objects.create(
        user_id=ada.user_id,
        revision=99,
        session_id=bad.id,
        version=bad.timer.version + 1,
        kind="edited",
        at=clock_time(),
    )
    time_passes(25 * 60)
    loop.Timekeeper()._round()
    assert (row(bad.id).status, row(good.id).status) == ("running", "completed")


def test_a_session_of_an_unknown_time_zone_ends(ada: Person) -> None:
    session = ada.has_running()
    User.objects.filter(pk=ada.user_id).update(time_zone="Mars/Olympus_Mons")
    time_passes(25 * 60)
    loop.Timekeeper()._round()
    assert row(session.id).status == "completed"


def test_a_reminder_that_was_taken_off_the_list_is_not_sent(ada: Person, announced: Listen) -> None:
    ada.has_running()
    ada.patch("/users/me/", {"reminders": [60]})
    with announced() as reminded:
        time_passes(20 * 60 + 1)
        sweep.send_reminders()
        time_passes(3 * 60 + 59)
        sweep.send_reminders()
    assert [reminder.offset_s for reminder in reminded] == [60]
