"""What a session is about, before anything happens to it: title, minutes, tasks, reminders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from random import Random

from sessions_app.demo.habits import Part, duration
from sessions_app.demo.steps import PlannedSession, PlannedTask
from sessions_app.demo.texts import PROJECTS, THESIS, Project, numbered

HOW_MANY_TASKS = {0: 34, 1: 20, 2: 24, 3: 15, 4: 7}  # how common
REMINDERS = {None: 90, (600, 120): 7, (): 3}  # None: those of the profile


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the plan. `progress`: how much of the plan is over, 0 to 1."""

    date: date
    progress: float
    exams: bool


def project_for(dice: Random, day: Day, part: Part) -> Project:
    """What somebody would take up in this part of this day."""
    weekend = day.date.weekday() >= 5

    def weight(project: Project) -> float:
        goes_on = day.exams if project.for_exams else day.date.month in project.months
        return goes_on * project.likely[part.name] * (project.weekend if weekend else 1)

    return dice.choices(PROJECTS, [weight(project) for project in PROJECTS])[0]


def draft(dice: Random, day: Day, project: Project) -> PlannedSession:
    """A session of this project; nothing has happened to it yet."""
    minutes = dice.choice(project.minutes) if project.minutes else duration(dice)
    count = dice.choices(list(HOW_MANY_TASKS), list(HOW_MANY_TASKS.values()))[0]
    return PlannedSession(
        title=numbered(dice.choice(project.titles), project, day.progress),
        minutes=minutes,
        tasks=_tasks(dice, day, project, minutes, count),
        reminders=dice.choices(list(REMINDERS), list(REMINDERS.values()))[0],
        sky_seed=dice.getrandbits(31),
    )


def another_title(dice: Random, day: Day, project: Project, title: str) -> str:
    """A title of this project's, but not this one: an edit that changes nothing is none."""
    titles = [numbered(text, project, day.progress) for text in project.titles]
    return dice.choice([each for each in titles if each != title])


def draft_for_later(dice: Random, day: Day, project: Project) -> PlannedSession:
    """One that can wait: its first title, and two tasks."""
    session = draft(dice, day, project)
    return replace(
        session,
        title=numbered(project.titles[0], project, day.progress),
        tasks=_tasks(dice, day, project, session.minutes, 2),
    )


def draft_again(dice: Random, pattern: PlannedSession) -> PlannedSession:
    """The same once more, as it was called in the end."""
    return replace(pattern, title=pattern.last_title, sky_seed=dice.getrandbits(31), steps=())


def draft_for_now(dice: Random, day: Day) -> PlannedSession:
    """The one that somebody who looks at the page sees running: with something of everything."""
    tasks = {"Redraw figure {n}": 20, "Axes and units": 10, "A caption that can stand alone": 15}
    return PlannedSession(
        title=numbered("Thesis: figures for chapter {n}", THESIS, day.progress),
        minutes=50,
        tasks=tuple(
            PlannedTask(numbered(text, THESIS, day.progress), minutes)
            for text, minutes in tasks.items()
        ),
        reminders=(1_800, 600, 60),
        sky_seed=dice.getrandbits(31),
    )


def _tasks(
    dice: Random, day: Day, project: Project, minutes: int, count: int
) -> tuple[PlannedTask, ...]:
    """Up to `count` different tasks whose minutes fit into the session's."""
    texts = dice.sample(project.tasks, min(count, len(project.tasks)))
    left, tasks = minutes, []
    for number, text in enumerate(texts):
        share = left // (len(texts) - number)
        taken = max(5, dice.randint(share * 2 // 3, share) // 5 * 5)
        if taken <= left:
            tasks.append(PlannedTask(numbered(text, project, day.progress), taken))
            left -= taken
    return tuple(tasks)
