"""All that somebody did in the months up to an instant. A seed and an instant give one plan."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from sessions_app.demo.draft import (
    Day,
    another_title,
    draft,
    draft_again,
    project_for,
)
from sessions_app.demo.habits import dice_of, has_exams, sessions_of
from sessions_app.demo.steps import PlannedSession, Step
from sessions_app.demo.story import Story
from sessions_app.demo.texts import Project
from sessions_app.demo.today import finished, for_later, running

MOST_MONTHS = 36
BREAKS = ((2, 6), (5, 15), (15, 50))  # minutes between two sessions
UP_AT = 7 * 60  # minutes after midnight; earlier than that, nothing was finished today
HAS_RUN = timedelta(minutes=8, seconds=20)  # the session that is running at the end
DROPPED, RENAMED, REPEATED = 0.025, 0.04, 0.2  # how often
LATELY = 25  # sessions
BEFORE_IT = timedelta(minutes=15)  # in which only ready ones were made, for later


@dataclass(frozen=True, slots=True)
class Plan:
    """`sessions` in the order in which they were made; nothing of them is later than `until`."""

    since: datetime
    until: datetime
    sessions: list[PlannedSession]

    def steps(self) -> Iterator[tuple[int, Step]]:
        """Every change in the order of time, with the place of its session in `sessions`."""
        yield from sorted(
            ((n, step) for n, session in enumerate(self.sessions) for step in session.steps),
            key=lambda change: change[1].at,
        )


def plan(
    seed: int, *, until: datetime, zone: ZoneInfo, months: int, still_running: bool = True
) -> Plan:
    """The plan of `months` before `until` (whole milliseconds), lived in `zone`."""
    return _Life(seed, until, zone, months).told(still_running=still_running)


class _Life:
    """Day after day, one session after the other; at the end, what there is just now."""

    def __init__(self, seed: int, until: datetime, zone: ZoneInfo, months: int) -> None:
        self._seed, self._until, self._zone = seed, until, zone
        self._today = until.astimezone(zone).date()
        self._first = _months_before(self._today, months)
        self._past = until - HAS_RUN - BEFORE_IT  # by then all others were over
        self._free_from = self._moment(self._first, UP_AT)
        self._sessions: list[PlannedSession] = []
        self._projects: list[Project] = []  # of each session

    def told(self, *, still_running: bool) -> Plan:
        since = self._free_from
        for number in range((self._today - self._first).days + 1):
            self._live(self._day(self._first + timedelta(number)))
        dice, today = dice_of(self._seed, "now"), self._day(self._today)
        self._sessions += self._finished_today(dice, today)
        self._sessions += for_later(dice, today, self._past)
        if still_running:
            starts = self._until - HAS_RUN
            self._sessions.append(running(dice, today, starts=starts, has_run=HAS_RUN))
        return Plan(since, self._until, self._sessions)

    # -- a day like any other ----------------------------------------------------------------------

    def _live(self, day: Day) -> None:
        dice = dice_of(self._seed, day.date, "day")
        for part, count in sessions_of(self._seed, day.date):
            begin = self._moment(day.date, part.opens + dice.randrange(75))
            for _ in range(count):
                begin = max(begin, self._free_from)
                if begin < self._moment(day.date, part.closes):
                    project = project_for(dice, day, part)
                    self._add(dice, project, self._any_session(dice, day, project, begin))

    def _add(self, dice: Random, project: Project, session: PlannedSession) -> None:
        """Takes it, unless it would not be over yet; then there is a break."""
        low, high = dice.choice(BREAKS)
        if session.last_change < self._past:
            self._sessions.append(session)
            self._projects.append(project)
            self._free_from = session.last_change + timedelta(
                milliseconds=dice.randint(low * 60_000, high * 60_000)
            )

    def _any_session(
        self, dice: Random, day: Day, project: Project, begin: datetime
    ) -> PlannedSession:
        """Begun at about `begin`, and over when it is over."""
        now = begin + timedelta(milliseconds=dice.randrange(60_000))
        again = self._one_to_repeat(dice, project)
        if again is not None:
            session = draft_again(dice, self._sessions[again])
            story = Story(session, now, project.device, dice)
            story.repeat(again)
        else:
            session = draft(dice, day, project)
            story = Story(session, now, project.device, dice)
            story.prepare()
        whim = dice.random()
        if whim < DROPPED:
            story.drop()
            return story.told()
        if whim > 1 - RENAMED:
            story.rename(another_title(dice, day, project, session.title))
        story.wait(2, 100)
        story.start()
        story.run()
        return story.told()

    def _one_to_repeat(self, dice: Random, project: Project) -> int | None:
        """The place of one of this project's that was kept lately; mostly none is repeated."""
        if dice.random() > REPEATED:
            return None
        lately = range(max(0, len(self._sessions) - LATELY), len(self._sessions))
        own = [n for n in lately if self._projects[n] is project and self._sessions[n].is_kept]
        return dice.choice(own) if own else None

    def _finished_today(self, dice: Random, today: Day) -> Iterator[PlannedSession]:
        """One, if there is none yet and the day is old enough for it."""
        morning = self._moment(self._today, UP_AT)
        if any(s.is_kept for s in self._sessions if s.created_at >= morning):
            return
        session = finished(dice, today, before=self._past)
        if session.created_at >= max(morning, self._free_from):
            yield session

    # -- days and instants -------------------------------------------------------------------------

    def _day(self, day: date) -> Day:
        progress = (day - self._first) / (self._today - self._first)
        return Day(day, progress, has_exams(self._seed, day))

    def _moment(self, day: date, minute: int) -> datetime:
        """The instant at which a clock on the wall shows this minute of the day."""
        at = time(minute // 60, minute % 60)
        return datetime.combine(day, at, self._zone).astimezone(UTC)


def _months_before(day: date, months: int) -> date:
    """The day after the same day `months` earlier: a year has each date once."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    _, length = monthrange(year, month + 1)
    return date(year, month + 1, min(day.day, length)) + timedelta(1)
