"""The timekeeper ends sessions and sends reminders while no device is connected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from hypothesis import example, given
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
def test_a_late_timekeeper_ends_a_session_once_and_at_its_deadline(
    ada: Person, late_s: float
) -> None:
    session = ada.has_running(duration=1)
    time_passes(60 + late_s)
    deadline, before = row(session.id).ends_at, clock_time()
    assert [loop.finish_due() for _ in range(3)] == [1, 0, 0]
    ended = row(session.id)
    assert (ended.status, ended.ended_at, ended.ends_at) == ("completed", deadline, None)
    assert ended.focused_ms == ended.planned_ms == 60_000
    assert Space.objects.get().session_id == session.id
    event = SessionEvent.objects.get(session_id=session.id, kind="completed")
    assert before <= event.at <= clock_time()
    assert event.data["late_ms"] == (event.at - deadline) // MILLISECOND >= late_s * 1000


@pytest.mark.parametrize(
    ("status", "seconds"),
    [("running", 50), *((s, 40 * 86_400) for s in ("ready", "paused", "finished", "cancelled"))],
)
def test_only_a_running_session_ends_and_not_before_its_deadline(
    ada: Person, status: str, seconds: float
) -> None:
    session = ada.has(status, duration=1)
    time_passes(seconds)
    assert loop.finish_due() == 0
    assert row(session.id).status == status


def test_the_end_is_announced_whole(ada: Person, announced: Listen) -> None:
    session = ada.has_running(duration=1)
    services.add_task(session.id, by=ada.actor, title="Outline", duration=1)
    time_passes(61)
    with announced() as heard:
        loop.finish_due()
    (change,) = heard
    event = SessionEvent.objects.get(kind="completed")
    assert (change.kind, change.user_id) == ("completed", ada.user_id)
    assert (change.session_id, change.state.id) == (session.id, session.id)
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

Act = Callable[[Person, int], Any]


def extended(seconds: int) -> Act:
    return lambda ada, session: services.extend(session, seconds, by=ada.actor)


def pauses(ada: Person, session: int) -> None:
    services.pause(session, by=ada.actor)


def resumes(ada: Person, session: int) -> None:
    services.resume(session, by=ada.actor)


def own(*offsets: int) -> Act:
    return lambda ada, session: ada.patch(f"/sessions/{session}/", {"reminders": offsets})


def late_own(seconds: int, *offsets: int) -> Act:
    """The same, so many seconds later, and before the timekeeper sends what is due by then."""
    return lambda ada, session: (time_passes(seconds), own(*offsets)(ada, session))


def profile(*offsets: int) -> Act:
    return lambda ada, session: ada.patch("/users/me/", {"reminders": offsets})


# A session of ten minutes: the seconds that pass or the act, and the (offset, seconds left) of the
# reminder that is sent then. The profile has five minutes and one minute.
REMINDERS: dict[str, list[tuple[float | Act, tuple[int, int] | None]]] = {
    "each offset is sent once": [
        *((0, None), (300, (300, 300)), (0, None), (240, (60, 60)), (0, None)),
    ],
    "one of several missed reminders is sent": [(570, (300, 30)), (0, None)],
    "an ended session sends none": [(601, None), (0, None)],
    "a session has offsets of its own": [(own(120), None), (475, None), (5.1, (120, 120))],
    "a session may have none": [(own(), None), (595, None)],
    "an extension arms a reminder again": [
        *((301, (300, 300)), (extended(300), None), (300, (300, 300))),
    ],
    "a later deadline has later reminders": [
        *((extended(120), None), (410, None), (10.1, (300, 300))),
    ],
    "an earlier deadline has earlier reminders": [
        *((extended(-120), None), (170, None), (10.1, (300, 300))),
    ],
    "a deadline moved and restored sends none twice": [
        *((301, (300, 300)), (extended(60), None), (extended(-60), None), (240, (60, 60))),
    ],
    "a pause silences and a resumption arms again": [
        *((240, None), (pauses, None), (1800, None), (resumes, None), (61, (300, 300))),
    ],
    "a resumed session does not repeat earlier reminders": [
        *((301, (300, 300)), (pauses, None), (resumes, None)),
    ],
    "new offsets count at once and passed ones are not sent": [
        *((late_own(360, 300, 180), None), (61, (180, 180))),
    ],
    "a new profile counts at once": [(profile(240), None), (301, None), (60, (240, 240))],
    "a new list of the session counts at once": [(own(240), None), (301, None), (60, (240, 240))],
    "a changed profile sends none twice for a deadline": [
        *((301, (300, 300)), (profile(), None), (profile(300, 60), None)),
        *((profile(300, 290), None), (10, (290, 290)), (250, None)),
    ],
    "a profile does not change a session with a list of its own": [
        *((own(300), None), (profile(240), None), (301, (300, 300)), (60, None)),
    ],
    "a profile arms no paused session": [
        *((pauses, None), (profile(240), None), (900, None), (resumes, None), (361, (240, 240))),
    ],
}


@pytest.mark.parametrize("steps", REMINDERS.values(), ids=REMINDERS)
def test_reminders_follow_the_deadline_and_are_no_changes(
    ada: Person, announced: Listen, steps: list[tuple[float | Act, tuple[int, int] | None]]
) -> None:
    session = ada.has_running(duration=10).id
    for number, (step, expected) in enumerate(steps):
        if callable(step):
            step(ada, session)
        else:
            time_passes(step)
        before = (row(session).version, ada.revision)
        with announced() as heard:
            loop.send_reminders()
        # In tens of seconds, rounded up: the machine may be slow.
        sent = [(r.offset_s, ceil(r.remaining_ms / 10_000) * 10) for r in heard]
        assert sent == ([expected] if expected else []), number
        assert (row(session).version, ada.revision) == before


def test_a_profile_that_cannot_be_saved_arms_nothing(ada: Person, eve: Person) -> None:
    session = ada.has_running(duration=10)
    before = row(session.id).reminder_at
    with transaction.atomic():
        answer = ada.patch("/users/me/", {"reminders": [240], "username": "eve"})
    assert (answer.status_code, row(session.id).reminder_at) == (400, before)


@given(
    offsets=st.lists(st.integers(1, 86_400), max_size=10),
    left=st.timedeltas(timedelta(), timedelta(hours=24)),
)
@example(offsets=[300], left=timedelta(seconds=300))
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


def test_the_timekeeper_sleeps_until_the_next_deadline_or_reminder(
    ada: Person, eve: Person
) -> None:
    assert loop.seconds_to_next() is None
    ada.has_running(duration=10)
    until_reminder = loop.seconds_to_next()
    eve.has_running(duration=1, reminders=[])
    until_deadline = loop.seconds_to_next()
    assert until_reminder is not None
    assert until_deadline is not None
    assert 295 < until_reminder <= 300
    assert 55 < until_deadline <= 60


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
    """Asks again and again; the database does the waiting in between."""
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


def test_a_sweep_that_dies_before_its_commit_loses_nothing(ada: Person) -> None:
    class Killed(BaseException):
        pass

    session = ada.has_running(duration=1)
    time_passes(61)
    before = ada.revision
    with suppress(Killed), transaction.atomic():
        assert loop.finish_due() == 1
        raise Killed
    assert (row(session.id).status, ada.revision, Space.objects.count()) == ("running", before, 0)
    assert loop.finish_due() == 1
    assert (row(session.id).status, ada.revision) == ("completed", before + 1)


@pytest.mark.django_db(transaction=True)
def test_a_session_locked_by_another_worker_does_not_delay_the_others() -> None:
    held, free = (signed_up(name).has_running(duration=1) for name in ("ada", "eve"))
    time_passes(61)
    taken, done = threading.Event(), threading.Event()

    def act(number: int) -> Any:
        if number:
            with transaction.atomic():
                Session.objects.select_for_update().get(pk=held.id)
                taken.set()
                return done.wait(1.5)
        assert taken.wait(10)
        seen = loop.finish_due(), row(held.id).status, row(free.id).status
        done.set()
        return seen

    assert at_once(act, times=2)[0] == (1, "running", "completed")
    assert loop.finish_due() == 1
    connections.close_all()


# -- the plan ------------------------------------------------------------------------------------

INDEXES = [
    (sweep._DUE, ["session_due"]),
    (sweep._TO_REMIND, ["session_reminder_due"]),
    (sweep._SECONDS_TO_NEXT, ["session_due", "session_reminder_due"]),
]


@pytest.mark.parametrize("burst", [False, True])
def test_a_sweep_reads_only_the_head_of_an_index(patient: None, burst: bool) -> None:
    a_crowd_runs(5_000)
    if burst:
        time_passes(20 * 60)  # with the planner's statistics from before
    for query, indexes in INDEXES:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query}", [[1, 2], sweep.BATCH] if "%s" in query else None)
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert all(index in plan for index in indexes), plan
        assert "Seq Scan on sessions_app_session" not in plan, plan
        assert "Sort" not in plan, plan


# -- sessions that cannot be ended ---------------------------------------------------------------


def test_a_session_that_fails_is_set_aside_after_a_few_batches_and_ends_later(
    patient: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a_crowd_runs(60)
    bad = Session.objects.order_by("ends_at")[17].pk
    time_passes(25 * 60)

    def still_running() -> list[int]:
        return list(Session.objects.filter(status="running").values_list("pk", flat=True))

    def refuse_one(session: Session, **more: Any) -> Any:
        if session.pk == bad:
            raise RuntimeError("a bug")
        return new_space(session, **more)

    new_space, keeper = sweep.new_space, loop.Timekeeper()
    with monkeypatch.context() as patched:
        patched.setattr(sweep, "new_space", refuse_one)
        keeper._round()
    assert still_running() == [bad]
    assert f"session {bad} cannot be ended" in caplog.text
    assert keeper.begun < 20
    keeper._round()
    assert still_running() == [bad]  # set aside for a minute
    monkeypatch.setattr(loop, "ASIDE_S", 0.0)
    keeper._round()
    assert still_running() == []


def test_a_wrong_log_keeps_only_its_own_session_from_ending(ada: Person, eve: Person) -> None:
    """The database refuses the end. That does not mean that the database is away."""
    bad, good = ada.has_running(), eve.has_running()
    wrong = {"revision": 99, "version": bad.timer.version + 1, "kind": "edited"}
    SessionEvent.objects.create(user_id=ada.user_id, session_id=bad.id, at=clock_time(), **wrong)
    time_passes(25 * 60)
    loop.Timekeeper()._round()
    assert (row(bad.id).status, row(good.id).status) == ("running", "completed")


def test_a_session_of_an_unknown_time_zone_ends(ada: Person) -> None:
    session = ada.has_running()
    User.objects.filter(pk=ada.user_id).update(time_zone="Mars/Olympus_Mons")
    time_passes(25 * 60)
    loop.Timekeeper()._round()
    assert row(session.id).status == "completed"
