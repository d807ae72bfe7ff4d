"""Chooses the type, size and place of a star or planet: the same on every device.

They follow from a seed, which is stored with the body, and from the bodies that are already in the
sky: a new one is placed where there is most room. A sky is one month of a user, 800 x 300.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from random import Random
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WIDTH, HEIGHT = 800, 300
MARGIN = 20  # a body's centre stays this far from the edge
COLUMNS, ROWS = WIDTH - 2 * MARGIN + 1, HEIGHT - 2 * MARGIN + 1  # of possible centres
STAR_RADII = (4, 9)
PLANET_RADII = (10, 16)
PLANET_FULL_GROWN_MINUTES = 180
APART = 2 * PLANET_RADII[1] + 2  # between centres: then no two bodies touch, of whatever size
TRIES = 16  # candidates for a place; the roomiest wins
STEP = 10  # of the grid that is searched if no random place has room
MAX_APART = 60  # bodies that never touch; in a fuller sky they may
LOOKS = 6  # pictures of each type in client/sky/


Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Body:
    """A star or a planet: its place and size in the 800 x 300 sky, its hue in degrees."""

    type: str
    x: int
    y: int
    radius: int
    hue: int
    look: int


def body(
    focused: timedelta, *, seed: int, star_up_to: timedelta, taken: Sequence[tuple[int, int]]
) -> Body:
    """The body of a session that was focused for `focused`; `taken` are the centres in its sky."""
    dice = Random(seed)  # noqa: S311 -- not secrets
    minutes = focused.total_seconds() / 60
    type_ = "star" if focused <= star_up_to else "planet"
    low, high = STAR_RADII if type_ == "star" else PLANET_RADII
    full = star_up_to.total_seconds() / 60 if type_ == "star" else PLANET_FULL_GROWN_MINUTES
    radius = round(low + (high - low) * min(1.0, minutes / max(full, 1)))
    hue, look = dice.randrange(360), dice.randrange(LOOKS)
    x, y = _roomiest(dice, taken)
    return Body(type_, x, y, radius, hue, look)


def month_of(moment: datetime, *, zone: str, day_start: int) -> date:
    """The first of the month of `moment`, where days start `day_start` minutes late."""
    local = moment.astimezone(_zone(zone)).replace(tzinfo=None)
    return (local - timedelta(minutes=day_start)).date().replace(day=1)


def _zone(name: str) -> tzinfo:
    """The zone; UTC for one that the system does not know, because a session must end."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _roomiest(dice: Random, taken: Sequence[Place]) -> Place:
    """A place with room: the best of a few random ones, or one of the grid that touches no body."""
    if not taken:
        return _anywhere(dice)
    best, most = (0, 0), -1
    for _ in range(TRIES):
        place = _anywhere(dice)
        if (room := _room(place, taken)) > most:
            best, most = place, room
    if most >= APART**2 or len(taken) >= MAX_APART:
        return best
    grid = [
        (x, y)
        for x in range(MARGIN, WIDTH - MARGIN + 1, STEP)
        for y in range(MARGIN, HEIGHT - MARGIN + 1, STEP)
    ]
    dice.shuffle(grid)
    return next((place for place in grid if _room(place, taken) >= APART**2), best)


def _anywhere(dice: Random) -> Place:
    """Like two calls of `dice.randrange`, in a fifth of their time: most of a body's cost."""
    bits = dice.getrandbits
    while (x := bits(COLUMNS.bit_length())) >= COLUMNS:
        pass
    while (y := bits(ROWS.bit_length())) >= ROWS:
        pass
    return MARGIN + x, MARGIN + y


def _room(place: Place, taken: Sequence[Place]) -> int:
    """The squared distance to the nearest (whole numbers: this is what placing costs)."""
    x, y = place
    return min([(x - a) ** 2 + (y - b) ** 2 for a, b in taken], default=WIDTH**2)
