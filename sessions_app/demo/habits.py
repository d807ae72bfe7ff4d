"""When somebody focuses: on which days, how often, and at what time of the day.

Each day follows from the seed and its date alone, so that a plan that ends later begins the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

DURATIONS = {15: 8, 20: 7, 25: 46, 30: 10, 40: 5, 45: 9, 50: 8, 60: 5, 90: 2}  # minutes: how common
MONTHS_OF_EXAMS = (1, 2, 6, 7)
SUMMER = timedelta(weeks=2)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a day in which sessions begin: local times, in minutes after midnight."""

    name: str
    opens: int
    closes: int


MORNING, AFTERNOON, EVENING = (
    Part("morning", 8 * 60 + 15, 12 * 60),
    Part("afternoon", 13 * 60, 18 * 60),
    Part("evening", 19 * 60, 22 * 60),
)
PARTS = (MORNING, AFTERNOON, EVENING)


def dice_of(*names: object) -> Random:
    """Chance that is the same for the same names, in any process."""
    return Random("/".join(map(str, names)))  # noqa: S311 -- a story, not a secret


def sessions_of(seed: int, day: date) -> Iterator[tuple[Part, int]]:
    """How many sessions are begun in each part of the day that has any."""
    dice = dice_of(seed, day, "habits")
    working = day.weekday() < 5
    chances, likely = (6, 0.31) if working else (3, 0.22)
    likely *= mood(seed, day)
    if is_holiday(seed, day):
        chances, likely = 1, 0.15
    elif working and dice.random() < 0.07:
        chances = 0  # ill, or on a train
    count = sum(dice.random() < likely for _ in range(chances))
    parts = dice.choices(PARTS, (45, 40, 15) if working else (30, 30, 40), k=count)
    yield from ((part, parts.count(part)) for part in PARTS if part in parts)


def mood(seed: int, day: date) -> float:
    """Some months go better than others; before exams it has to."""
    if has_exams(seed, day):
        return 1.45
    return dice_of(seed, day.year, day.month, "mood").uniform(0.65, 1.3)


def has_exams(seed: int, day: date) -> bool:
    return day.month == dice_of(seed, day.year, "exams").choice(MONTHS_OF_EXAMS)


def is_holiday(seed: int, day: date) -> bool:
    """The end of the year, and two weeks in summer."""
    if (day.month, day.day) >= (12, 24) or (day.month, day.day) == (1, 1):
        return True
    begin = date(day.year, 8, 1) + timedelta(dice_of(seed, day.year, "summer").randrange(17))
    return begin <= day < begin + SUMMER


def duration(dice: Random) -> int:
    return dice.choices(list(DURATIONS), list(DURATIONS.values()))[0]
