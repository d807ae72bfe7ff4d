"""What a plan of demo promises, for any seed, any instant and any time zone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.countdown import Countdown, Status
from sessions_app.demo.plan import RULES, PlannedSession, plan
from sessions_app.demo.week import PROJECTS
from tests.support.generated import share

UNTIL = datetime(2026, 11, 22, 17, 30, 0, 123_000, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/Santiago", "Asia/Kolkata", "Pacific/Auckland")
TIMER = {*RULES, "extend"}


def ended(session: PlannedSession) -> Countdown:
    """The countdown after all steps: each of them is allowed, or this raises."""
    countdown = Countdown(planned=timedelta(minutes=session.minutes))
    for step in session.steps:
        if step.action in TIMER:
            countdown = step.rule(countdown)
    return countdown


@given(
    seed=st.integers(),
    until=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
    running=st.booleans(),
)
@settings(max_examples=share(40))
def test_a_plan_has_only_what_the_rules_allow_in_the_order_of_time(seed, until, zone, running):
    until = until.replace(microsecond=until.microsecond // 1000 * 1000, tzinfo=UTC)
    made = plan(seed, until=until, zone=ZoneInfo(zone), months=2, still_running=running)
    born = [session.steps[0].at for session in made.sessions]
    moments = [step.at for _, step in made.steps()]
    assert (born, moments) == (sorted(born), sorted(moments))
    assert made.since < moments[0]
    assert moments[-1] <= made.until
    assert all(moment.microsecond % 1000 == 0 for moment in moments)

    statuses = Counter(ended(session).status for session in made.sessions)
    assert statuses[Status.RUNNING] == running
    assert (statuses[Status.PAUSED], statuses[Status.READY]) == (0, 3)
    active = None  # one at a time
    for number, step in made.steps():
        if step.action in TIMER:
            assert active == (None if step.action == "start" else number)
            active = None if step.action in {"finish", "cancel", "complete"} else number

    for session in made.sessions:
        assert all(0 < len(text) <= 100 for text in (session.title, *dict(session.tasks)))
        assert all(minutes >= 5 for _, minutes in session.tasks)
        assert sum(minutes for _, minutes in session.tasks) <= session.minutes


def test_a_seed_and_an_instant_give_one_plan():
    made, again, other = (plan(seed, until=UNTIL, zone=BERLIN, months=2) for seed in (1, 1, 2))
    assert made == again
    assert made.sessions != other.sessions


def test_a_text_is_numbered_by_the_progress_of_its_project():
    for project in PROJECTS:
        for text in (*project.titles, *project.tasks):
            assert "{" not in project.numbered(text, 0.5)
        assert project.numbered("{n}", 0.0) == "1"
        assert project.numbered("{n}", 1.0) == str(project.parts)


def test_a_year_is_believable():
    for seed in range(1, 6):
        sessions = plan(seed, until=UNTIL, zone=BERLIN, months=12).sessions
        assert 400 <= len(sessions) <= 620
        statuses = Counter(ended(session).status for session in sessions)
        assert statuses[Status.COMPLETED] > statuses[Status.FINISHED] > statuses[Status.CANCELLED]
        assert Counter(session.minutes for session in sessions).most_common(1)[0][0] == 25
        days = Counter(s.steps[0].at.astimezone(BERLIN).date() for s in sessions)
        assert sum(days[day] for day in days if (day.month, day.day) >= (12, 24)) < 8
        working = sum(count for day, count in days.items() if day.weekday() < 5)
        assert working / 5 > 1.3 * (days.total() - working) / 2
        bodies: Counter[tuple[int, bool]] = Counter()
        for session in sessions:
            assert all(step.at.astimezone(BERLIN).hour >= 8 for step in session.steps)
            if session.is_kept:
                countdown = ended(session)
                assert countdown.ended_at is not None
                is_planet = countdown.focused_at(UNTIL) > timedelta(minutes=30)
                bodies[countdown.ended_at.astimezone(BERLIN).month, is_planet] += 1
        assert all(bodies[month, True] >= 3 for month in range(1, 13))
        assert all(bodies[month, False] >= 10 for month in range(1, 13))


@given(seed=st.integers(), hour=st.integers(9, 22))
@settings(max_examples=share(25))
def test_today_has_a_session_that_was_finished(seed, hour):
    until = datetime(2026, 3, 4, hour, 20, tzinfo=UTC)
    made = plan(seed, until=until, zone=ZoneInfo("UTC"), months=1)
    today = [s for s in made.sessions if s.steps[0].at.date() == until.date()]
    # A long session that was cancelled, or a long break, may have taken the time for it.
    assert any(session.is_kept for session in today) or len(today) > 4


def test_the_running_session_is_in_the_middle_with_tasks_and_reminders():
    made = plan(1, until=UNTIL, zone=BERLIN, months=12)
    running = made.sessions[-1]
    assert ended(running).remaining_at(UNTIL) == timedelta(minutes=41, seconds=40)
    assert running.reminders == [1_800, 600, 60]
    assert len(running.tasks) == 3
    quiet = plan(1, until=UNTIL, zone=BERLIN, months=12, still_running=False)
    assert quiet.sessions == made.sessions[:-1]
