"""What a plan of demo promises, for any seed, any instant and any place."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.countdown import Countdown, Status
from sessions_app.demo.habits import is_holiday
from sessions_app.demo.plan import Plan, plan
from sessions_app.demo.steps import RULES, PlannedSession
from sessions_app.demo.texts import PROJECTS, numbered
from tests.support.generated import share

UNTIL = datetime(2026, 11, 22, 17, 30, 0, 123_000, tzinfo=UTC)
SOME_TIME = datetime(2020, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/Santiago", "Asia/Kolkata", "Pacific/Auckland")
TIMER = {*RULES, "extend"}

plans = st.builds(
    lambda seed, until, zone, running: plan(
        seed,
        until=until,
        zone=ZoneInfo(zone),
        months=2,
        still_running=running,
    ),
    seed=st.integers(),
    until=st.integers(0, 15 * 365 * 86_400_000).map(
        lambda ms: SOME_TIME + timedelta(milliseconds=ms)
    ),
    zone=st.sampled_from(ZONES),
    running=st.booleans(),
)
some = settings(max_examples=share(25))


@cache
def a_year(seed: int = 1) -> Plan:
    return plan(seed, until=UNTIL, zone=BERLIN, months=12)


def ended(session: PlannedSession) -> Countdown:
    """The countdown after all steps: each of them is allowed, or this raises."""
    countdown = Countdown(planned=timedelta(minutes=session.minutes))
    for step in session.steps:
        if step.action in TIMER:
            countdown = step.rule(countdown)
    return countdown


def test_a_seed_and_an_instant_give_one_plan():
    again = plan(1, until=UNTIL, zone=BERLIN, months=12)
    assert again == a_year()
    assert again.sessions != a_year(2).sessions


@given(plans)
@some
def test_nothing_is_later_than_the_end_nor_earlier_than_the_sign_up(made):
    born = [session.created_at for session in made.sessions]
    moments = [step.at for _, step in made.steps()]
    assert (born, moments) == (sorted(born), sorted(moments))
    assert made.since < moments[0]
    assert moments[-1] <= made.until
    assert all(moment.microsecond % 1000 == 0 for moment in moments)


@given(plans)
@some
def test_one_session_is_active_at_a_time(made):
    active = None
    for number, step in made.steps():
        if step.action == "start":
            assert active is None
            active = number
        elif step.action in {"finish", "cancel", "complete"}:
            assert active == number
            active = None
        elif step.action in TIMER:
            assert active == number


@given(plans)
@some
def test_every_session_has_a_story_that_the_rules_allow(made):
    statuses = Counter(ended(session).status for session in made.sessions)
    assert statuses[Status.RUNNING] <= 1
    assert statuses[Status.PAUSED] == 0
    dropped = sum(session.steps[-1].action == "delete" for session in made.sessions)
    assert statuses[Status.READY] == 3 + dropped


@given(plans)
@some
def test_texts_and_tasks_fit(made):
    for session in made.sessions:
        texts = [session.title, *(task.title for task in session.tasks)]
        texts += [step.title for step in session.steps if step.action == "rename"]
        assert all(0 < len(text) <= 100 for text in texts)
        assert all(task.minutes >= 5 for task in session.tasks)
        assert sum(task.minutes for task in session.tasks) <= session.minutes


def test_what_is_repeated_was_there_before():
    repeated = [
        (number, session, session.steps[0].pattern)
        for number, session in enumerate(a_year().sessions)
        if session.steps[0].action == "repeat"
    ]
    assert len(repeated) > 20
    for number, session, pattern in repeated:
        again = a_year().sessions[pattern]
        assert pattern < number
        assert (session.title, session.tasks) == (again.last_title, again.tasks)


def test_every_text_can_be_numbered():
    for project in PROJECTS:
        for text in (*project.titles, *project.tasks):
            assert "{" not in numbered(text, project, 0.5)
    assert numbered("{n}", PROJECTS[0], 0.0) == "1"
    assert numbered("{n}", PROJECTS[0], 1.0) == str(PROJECTS[0].parts)


def test_a_year_has_some_hundred_sessions_of_all_kinds():
    for seed in range(1, 6):
        sessions = a_year(seed).sessions
        assert 400 <= len(sessions) <= 600
        statuses = Counter(ended(session).status for session in sessions)
        assert statuses[Status.COMPLETED] > statuses[Status.FINISHED] > statuses[Status.CANCELLED]
        assert statuses[Status.RUNNING] == 1
        minutes = Counter(session.minutes for session in sessions)
        assert minutes.most_common(1)[0][0] == 25
        assert {15, 90} <= set(minutes) <= set(range(15, 91))
        assert any(not session.title.isascii() for session in sessions)


def test_months_and_days_differ_as_they_do():
    for seed in range(1, 6):
        days = Counter(s.created_at.astimezone(BERLIN).date() for s in a_year(seed).sessions)
        working = sum(count for day, count in days.items() if day.weekday() < 5)
        assert working / 5 > 1.5 * (days.total() - working) / 2
        assert sum(count for day, count in days.items() if is_holiday(seed, day)) < 15
        months: Counter[tuple[int, int]] = Counter()
        for day, count in days.items():
            months[day.year, day.month] += count
        whole = sorted(months[key] for key in months if key != (2025, 11))
        assert whole[-1] > 1.5 * whole[0]


def test_nobody_gets_up_at_four():
    for seed in range(1, 6):
        for _, step in a_year(seed).steps():
            assert step.at.astimezone(BERLIN).hour >= 8
    night = plan(1, until=datetime(2026, 11, 22, 3, tzinfo=UTC), zone=BERLIN, months=1)
    early = [s for s in night.sessions if s.created_at.astimezone(BERLIN).hour < 8]
    assert len(early) == 4  # what there is just now: three ready ones, and the running one


@given(seed=st.integers(), hour=st.integers(8, 22))
@some
def test_one_was_finished_earlier_today(seed, hour):
    until = datetime(2026, 3, 4, hour, 20, tzinfo=UTC)
    made = plan(seed, until=until, zone=ZoneInfo("UTC"), months=1)
    today = [s for s in made.sessions if s.created_at.date() == until.date()]
    kept = [s for s in today if s.is_kept]
    # A long session that was cancelled, or a long break, may have taken the time for it.
    assert kept or len(today) > 4 or hour < 9


def test_the_running_one_is_in_the_middle_with_tasks_and_reminders():
    (running,) = [s for s in a_year().sessions if ended(s).status is Status.RUNNING]
    left = ended(running).remaining_at(UNTIL)
    assert left == timedelta(minutes=41, seconds=40)
    assert running.reminders
    ready = [s for s in a_year().sessions[-4:] if ended(s).status is Status.READY]
    assert [len(session.tasks) for session in ready] == [2, 2, 2]
    assert len(running.tasks) == 3
    assert a_year().sessions[-1] == running
    quiet = plan(1, until=UNTIL, zone=BERLIN, months=12, still_running=False)
    assert quiet.sessions == a_year().sessions[:-1]
