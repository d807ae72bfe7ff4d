"""Plans the sessions of some months up to an instant: the same week, with seeded variation.

A seed and an instant give one plan. `countdown.py` decides when a session ends and refuses a step
that is not allowed. All instants are whole milliseconds, as the database's clock gives them.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from sessions_app.countdown import Countdown, Status
from sessions_app.demo.week import CAFE, EXAM, EXAM_MONTHS, GREEK, GUITAR, THESIS, WEEK, Project

MOST_MONTHS = 36
MORNING = "07:00"  # the account is made then; earlier than that, nothing was finished today
HAS_RUN = timedelta(minutes=8, seconds=20)  # the session that is running at the end
PREPARED_WITHIN = timedelta(minutes=15)  # before it: the ready sessions were made
RUNNING_TASKS = (("Redraw figure {n}", 20), ("Axes and units", 10), ("A caption for it", 15))
TIMEKEEPER = ""  # the device of an end at the deadline

RULES: dict[str, Callable[[Countdown, datetime], Countdown]] = {
    "start": Countdown.start,
    "pause": Countdown.pause,
    "resume": Countdown.resume,
    "finish": Countdown.finish,
    "cancel": Countdown.cancel,
    "complete": Countdown.complete,
}
KEPT = frozenset({"complete", "finish"})  # give a star or a planet
Moment = tuple[float, str, int]  # the focused part of the minutes; seconds or a task's place


@dataclass(frozen=True, slots=True)
class Step:
    """One change. `number`: a task's place in the session, or the seconds of an extension.

    `action`: "create", "add_task", "do_task", "extend" or a key of `RULES`.
    """

    at: datetime
    action: str
    device: str
    number: int = 0

    def rule(self, countdown: Countdown) -> Countdown:
        """The countdown after a step of the timer."""
        if self.action == "extend":
            return countdown.extend(timedelta(seconds=self.number), self.at)
        return RULES[self.action](countdown, self.at)


@dataclass(slots=True)
class PlannedSession:
    """A session and its steps. `tasks`: title and minutes. `sky_seed` gives its star or planet."""

    title: str
    minutes: int
    tasks: list[tuple[str, int]]
    reminders: list[int] | None
    sky_seed: int
    steps: list[Step] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        return any(step.action in KEPT for step in self.steps)


@dataclass(frozen=True, slots=True)
class Plan:
    """`sessions` in the order in which they were made; no step is later than `until`."""

    since: datetime
    until: datetime
    sessions: list[PlannedSession]

    def steps(self) -> list[tuple[int, Step]]:
        """Every step in the order of time, with the place of its session in `sessions`."""
        steps = ((n, step) for n, session in enumerate(self.sessions) for step in session.steps)
        return sorted(steps, key=lambda numbered: numbered[1].at)


def plan(
    seed: int, *, until: datetime, zone: ZoneInfo, months: int, still_running: bool = True
) -> Plan:
    """The plan of `months` before `until` (whole milliseconds) for a user in `zone`."""
    today = until.astimezone(zone).date()
    first = _day_after_months_before(today, months)
    since = free = _instant(first, MORNING, zone)
    over_before = until - HAS_RUN - PREPARED_WITHIN
    sessions: list[PlannedSession] = []
    for number in range((today - first).days + 1):
        day = first + timedelta(number)
        dice = _dice(seed, day)
        chance = _chance(seed, day, dice)
        for clock, usual, minutes in WEEK[day.weekday()]:
            project = EXAM if usual is CAFE and day.month in EXAM_MONTHS else usual
            begin = _instant(day, clock, zone) + _between(dice, 0, 1_500)
            if dice.random() >= chance or free > begin + timedelta(hours=1):
                continue
            taken = minutes if dice.random() < 0.8 else dice.choice((15, 25, 30))
            story = _Story(dice, project, taken, number / (today - first).days, max(begin, free))
            story.run(sorted(_moments(dice, story.session)))
            if story.now < over_before:
                sessions.append(story.session)
                free = story.now + _between(dice, 120, 1_200)
    dice = _dice(seed, "now")
    if not any(s.is_kept and s.steps[0].at >= _instant(today, MORNING, zone) for s in sessions):
        begin = over_before - timedelta(minutes=31)
        story = _Story(dice, THESIS, 25, 1, begin)
        story.run([(1, "complete", 0)])
        if begin >= max(free, _instant(today, MORNING, zone)):
            sessions.append(story.session)
    made = over_before
    for project in (THESIS, GREEK, GUITAR):
        made += _between(dice, 30, 150)
        story = _Story(dice, project, 25, 1, made, title=project.titles[0])
        story.prepare()
        sessions.append(story.session)
    if still_running:
        sessions.append(_running(dice, until - HAS_RUN))
    return Plan(since, until, sessions)


def _running(dice: Random, starts: datetime) -> PlannedSession:
    """The session that a first look at the page shows: it has something of everything."""
    title = "Thesis: figures for chapter {n}"
    story = _Story(dice, THESIS, 50, 1, starts - timedelta(seconds=95), title=title)
    story.session.tasks = [(THESIS.numbered(text, 1), taken) for text, taken in RUNNING_TASKS]
    story.session.reminders = [1_800, 600, 60]
    story.prepare()
    story.now = starts
    story.step("start")
    story.now += HAS_RUN / 2
    story.step("do_task", 0)
    return story.session


class _Story:
    """One session from its making to its end. `now` moves forward only; each step is noted."""

    def __init__(
        self,
        dice: Random,
        project: Project,
        minutes: int,
        progress: float,
        now: datetime,
        title: str | None = None,
    ) -> None:
        self.now = now
        self._dice, self._device = dice, project.device
        self._countdown = Countdown(planned=timedelta(minutes=minutes))
        reminders: list[list[int] | None] = [None, [600, 120], []]  # None: those of the profile
        self.session = PlannedSession(
            title=project.numbered(title or dice.choice(project.titles), progress),
            minutes=minutes,
            tasks=_tasks(dice, project, minutes, progress),
            reminders=dice.choices(reminders, (90, 7, 3))[0],
            sky_seed=dice.getrandbits(31),
        )

    def step(self, action: str, number: int = 0, device: str | None = None) -> None:
        step = Step(self.now, action, self._device if device is None else device, number)
        self.session.steps.append(step)
        if action not in {"create", "add_task", "do_task"}:
            self._countdown = step.rule(self._countdown)

    def prepare(self) -> None:
        """Made, and its tasks one after the other."""
        self.step("create")
        for place in range(len(self.session.tasks)):
            self.now += _between(self._dice, 5, 25)
            self.step("add_task", place)

    def run(self, moments: list[Moment]) -> None:
        """From the making to the end, with `moments` on the way."""
        self.prepare()
        self.now += _between(self._dice, 2, 100)
        self.step("start")
        for part, action, number in moments:
            self._run_until(part)
            in_hand = "Phone" if action == "pause" and self._dice.random() < 0.15 else None
            self.step(action, number, TIMEKEEPER if action == "complete" else in_hand)
            if action == "pause":
                span = self._dice.choices(((20, 120), (120, 540), (900, 2_100)), (45, 47, 8))[0]
                self.now += _between(self._dice, *span)
                self.step("resume")
        done = {step.number for step in self.session.steps if step.action == "do_task"}
        for place in range(len(self.session.tasks)):
            cancelled = self._countdown.status is Status.CANCELLED
            if place not in done and not cancelled and self._dice.random() < 0.55:
                self.now += _between(self._dice, 4, 30)
                self.step("do_task", place)

    def _run_until(self, part: float) -> None:
        """Until this part of the session's minutes is focused; from 1 on, past the deadline."""
        if part < 1:
            focused = timedelta(milliseconds=int(part * self.session.minutes * 60_000))
            self.now += max(timedelta(0), focused - self._countdown.focused_at(self.now))
        elif self._countdown.ends_at is not None:
            late_ms = min(150, 1 + int(self._dice.expovariate(1 / 7)))
            self.now = self._countdown.ends_at + timedelta(milliseconds=late_ms)


def _moments(dice: Random, session: PlannedSession) -> Iterator[Moment]:
    """What happens in the course of a session: mostly it runs out undisturbed."""
    ends: tuple[Moment, ...] = (
        (1, "complete", 0),
        (dice.uniform(0.5, 0.97), "finish", 0),
        (dice.uniform(0.05, 0.5), "cancel", 0),
    )
    end = dice.choices(ends, (80, 14, 6))[0]
    for _ in range(dice.choices((0, 1, 2), (75, 20, 5))[0]):
        yield dice.uniform(0.1, 0.9) * end[0], "pause", 0
    spent = 0.0
    for place, (_, minutes) in enumerate(session.tasks):
        spent += minutes / session.minutes * dice.uniform(0.7, 1.25)
        if spent < end[0] and dice.random() < 0.9:
            yield spent, "do_task", place
    if end[1] == "complete" and dice.random() < 0.14:
        yield dice.uniform(0.9, 0.99), "extend", dice.choice((300, 300, 600))
    yield end


def _tasks(dice: Random, project: Project, minutes: int, progress: float) -> list[tuple[str, int]]:
    """Up to four different tasks whose minutes fit into the session's."""
    count = dice.choices(range(5), (34, 20, 24, 15, 7))[0]
    texts = dice.sample(project.tasks, min(count, len(project.tasks), minutes // 5))
    tasks, left = [], minutes
    for number, text in enumerate(texts):
        share = left // (len(texts) - number)
        taken = max(5, dice.randint(share * 2 // 3, share) // 5 * 5)
        tasks.append((project.numbered(text, progress), taken))
        left -= taken
    return tasks


def _chance(seed: int, day: date, dice: Random) -> float:
    """How likely each session of the day is. Months differ; there are holidays and sick days."""
    new_year = (day.month, day.day) >= (12, 24) or (day.month, day.day) == (1, 1)
    if new_year or (day.month == 8 and 5 <= day.day < 19):
        return 0.1
    if dice.random() < 0.06:
        return 0.0  # ill, or on a train
    return _dice(seed, day.year, day.month).uniform(0.3, 0.65)


def _dice(*names: object) -> Random:
    """Chance that is the same for the same names, in any process."""
    return Random("/".join(map(str, names)))  # noqa: S311 -- a story, not a secret


def _between(dice: Random, least_s: int, most_s: int) -> timedelta:
    return timedelta(milliseconds=dice.randint(least_s * 1_000, most_s * 1_000))


def _instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """The instant at which a clock on the wall of `zone` shows this time of the day."""
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def _day_after_months_before(day: date, months: int) -> date:
    """So that a year has each date once."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    _, length = monthrange(year, month + 1)
    return date(year, month + 1, min(day.day, length)) + timedelta(1)
