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
    draft_for_later,
    draft_for_now,
    project_for,
)
from sessions_app.demo.habits import dice_of, has_exams, sessions_of
from sessions_app.demo.story import PlannedSession, Step, Story
from sessions_app.demo.texts import FOR_LATER, THESIS, Project

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


def plan(seed: int, *, until: datetime, zone: ZoneInfo, months: int, running: bool = True) -> Plan:
    """The plan of `months` before `until` (whole milliseconds), lived in `zone`."""
    return _Life(seed, until, zone, months).told(running=running)


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

    def told(self, *, running: bool) -> Plan:
        since = self._free_from
        for number in range((self._today - self._first).days + 1):
            self._live(self._day(self._first + timedelta(number)))
        dice, today = dice_of(self._seed, "now"), self._day(self._today)
        if not self._has_finished_one_today():
            self._finish_one(dice, today)
        self._sessions += self._for_later(dice, today)
        if running:
            self._sessions.append(self._running(dice, today))
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

    # -- today -------------------------------------------------------------------------------------

    def _has_finished_one_today(self) -> bool:
        morning = self._moment(self._today, UP_AT)
        return any(s.created_at >= morning and s.is_kept for s in self._sessions)

    def _finish_one(self, dice: Random, today: Day) -> None:
        """One that has run out lately, if the day is old enough for that."""
        session = draft(dice, today, THESIS)
        begin = self._past - timedelta(minutes=session.minutes + 6)
        if begin < max(self._free_from, self._moment(self._today, UP_AT)):
            return
        story = Story(session, begin, THESIS.device, dice)
        story.prepare()
        story.start()
        story.run_out()
        self._add(dice, THESIS, story.told())

    def _for_later(self, dice: Random, today: Day) -> Iterator[PlannedSession]:
        now = self._past
        for project in FOR_LATER:
            now += timedelta(milliseconds=dice.randint(60_000, 180_000))
            story = Story(draft_for_later(dice, today, project), now, project.device, dice)
            story.prepare()
            yield story.told()

    def _running(self, dice: Random, today: Day) -> PlannedSession:
        begin = self._until - HAS_RUN
        session = draft_for_now(dice, today)
        story = Story(session, begin - timedelta(seconds=95), THESIS.device, dice)
        story.prepare()
        story.start_at(begin)
        story.run_for(HAS_RUN, done=1)
        return story.told()

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
