"""What may happen while a session runs, and how likely it is."""

from __future__ import annotations

from random import Random

from sessions_app.demo.steps import Action, PlannedSession

Moment = tuple[int, Action, int]  # after so many milliseconds of focus; a task, or seconds
CANCELLED, FINISHED, EXTENDED = 0.06, 0.14, 0.14
PAUSES = {0: 75, 1: 20, 2: 5}  # how common


def course(dice: Random, session: PlannedSession) -> list[Moment]:
    """What would happen in the course of it, in order. What comes after its end does not."""
    planned_ms = session.minutes * 60_000
    end = _end(dice, planned_ms)
    moments = [
        *_pauses(dice, min(end[0], planned_ms)),
        *_tasks_done(dice, session, min(end[0], planned_ms)),
        *_extensions(dice, end, planned_ms),
        end,
    ]
    return sorted(moments, key=lambda moment: moment[0])


def _end(dice: Random, planned_ms: int) -> Moment:
    how = dice.random()
    if how < CANCELLED:
        return int(planned_ms * dice.uniform(0.05, 0.5)), "cancel", 0
    if how < CANCELLED + FINISHED:
        return int(planned_ms * dice.uniform(0.5, 0.97)), "finish", 0
    return planned_ms * 2, "complete", 0  # later than any deadline: it runs out by itself


def _pauses(dice: Random, until_ms: int) -> list[Moment]:
    last = until_ms - 30_000
    count = dice.choices(list(PAUSES), list(PAUSES.values()))[0] if last > 60_000 else 0
    return [(dice.randint(60_000, last), "pause", 0) for _ in range(count)]


def _tasks_done(dice: Random, session: PlannedSession, until_ms: int) -> list[Moment]:
    """Those that take their time, more or less; some are left over."""
    moments: list[Moment] = []
    spent = 0.0
    for place, task in enumerate(session.tasks):
        spent += task.minutes * 60_000 * dice.uniform(0.7, 1.25)
        if spent < until_ms and dice.random() < 0.9:
            moments.append((int(spent), "do_task", place))
    return moments


def _extensions(dice: Random, end: Moment, planned_ms: int) -> list[Moment]:
    """Shortly before it would run out."""
    if end[1] != "complete" or dice.random() > EXTENDED:
        return []
    return [(planned_ms - dice.randint(4_000, 150_000), "extend", dice.choice((300, 300, 600)))]
