"""What a session becomes in the sky, and where."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.services import profiles
from sessions_app import services
from sessions_app import sky as spaces
from sessions_app.models import Session, Space
from sessions_app.services import sky
from sessions_app.sky import HEIGHT, WIDTH, Body
from tests.support.generated import share
from tests.support.people import Person, time_passes

STAR_UP_TO = timedelta(minutes=30)
A_MONTHS_WORTH = 60


def body(minutes: float = 25, *, seed: int = 1, taken: Any = ()) -> Body:
    return spaces.body(timedelta(minutes=minutes), seed=seed, star_up_to=STAR_UP_TO, taken=taken)


# -- what it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("focused", "type_"),
    [
        (timedelta(), "star"),
        (timedelta(minutes=30), "star"),
        (timedelta(minutes=30, milliseconds=1), "planet"),
        (timedelta(hours=24), "planet"),
    ],
)
def test_up_to_thirty_focused_minutes_it_is_a_star_above_a_planet(
    focused: timedelta, type_: str
) -> None:
    assert spaces.body(focused, seed=1, star_up_to=STAR_UP_TO, taken=()).type == type_


def test_the_limit_is_a_setting(ada: Person, settings: Any) -> None:
    settings.STAR_UP_TO_MINUTES = 5
    session = ada.has_running(duration=10)
    time_passes(6 * 60)
    services.finish(session.id, by=ada.actor)
    assert Space.objects.get().type == "planet"


@given(minutes=st.floats(0, 1440), longer=st.floats(0, 1440))
def test_more_focus_gives_no_smaller_body(minutes: float, longer: float) -> None:
    assert body(minutes).radius <= body(minutes + longer).radius


# -- where it is ---------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**31 - 1), minutes=st.floats(0, 1440))
def test_the_same_seed_in_the_same_sky_gives_the_same_body(seed: int, minutes: float) -> None:
    taken = [(100, 100), (400, 150)]
    assert body(minutes, seed=seed, taken=taken) == body(minutes, seed=seed, taken=taken)


def test_other_seeds_give_other_skies() -> None:
    assert len({(b.x, b.y) for b in (body(seed=s) for s in range(20))}) > 15


@given(
    seeds=st.lists(st.integers(0, 2**31 - 1), min_size=A_MONTHS_WORTH, max_size=A_MONTHS_WORTH),
    minutes=st.lists(st.integers(0, 1440), min_size=A_MONTHS_WORTH, max_size=A_MONTHS_WORTH),
)
@settings(max_examples=share(8))
def test_sixty_bodies_of_a_month_do_not_overlap_and_stay_within_the_sky(
    seeds: list[int], minutes: list[int]
) -> None:
    sky: list[Body] = []
    for seed, length in zip(seeds, minutes, strict=True):
        sky.append(body(length, seed=seed, taken=[(b.x, b.y) for b in sky]))
    for number, one in enumerate(sky):
        assert one.radius <= one.x <= WIDTH - one.radius
        assert one.radius <= one.y <= HEIGHT - one.radius
        for other in sky[:number]:
            assert math.dist((one.x, one.y), (other.x, other.y)) >= one.radius + other.radius


def test_a_sky_that_is_full_still_takes_a_body() -> None:
    taken: list[tuple[int, int]] = []
    for seed in range(100):
        new = body(45, seed=seed, taken=taken)
        assert 0 <= new.x <= WIDTH
        assert 0 <= new.y <= HEIGHT
        taken.append((new.x, new.y))


def test_each_month_is_a_sky_of_its_own(ada: Person) -> None:
    for _ in range(2):
        session = services.finish(ada.has_running().id, by=ada.actor)
    month = sky.sky_of(Session.objects.select_related("user").get(pk=session.id))
    assert len(sky.taken_places(ada.user_id, month)) == 2
    Space.objects.update(sky=date(2026, 1, 1))
    assert sky.taken_places(ada.user_id, month) == []


def test_another_users_bodies_take_no_room(ada: Person, eve: Person) -> None:
    services.finish(eve.has_running().id, by=eve.actor)
    session = Session.objects.get(pk=services.finish(ada.has_running().id, by=ada.actor).id)
    assert len(sky.taken_places(ada.user_id, sky.sky_of(session))) == 1  # its own


# -- when it is ----------------------------------------------------------------------------------


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("moment", "zone", "day_start", "month"),
    [
        (utc(2026, 11, 30, 23, 59), "UTC", 0, date(2026, 11, 1)),
        (utc(2026, 12, 1, 0, 0), "UTC", 0, date(2026, 12, 1)),
        (utc(2026, 12, 1, 3, 59), "UTC", 240, date(2026, 11, 1)),  # days start at four
        (utc(2026, 12, 1, 4, 0), "UTC", 240, date(2026, 12, 1)),
        (utc(2026, 11, 30, 23, 0), "Europe/Berlin", 0, date(2026, 12, 1)),
        (utc(2026, 12, 1, 4, 59), "America/New_York", 0, date(2026, 11, 1)),
        (utc(2027, 1, 1, 2, 0), "America/New_York", 0, date(2026, 12, 1)),
        # The day that Apia skipped: 2011-12-30 did not exist there.
        (utc(2011, 12, 30, 9, 59), "Pacific/Apia", 0, date(2011, 12, 1)),
        (utc(2011, 12, 31, 10, 0), "Pacific/Apia", 0, date(2012, 1, 1)),
        # No midnight on the day the clocks go forward.
        (utc(2026, 4, 23, 22, 0), "Africa/Cairo", 0, date(2026, 4, 1)),
        (utc(2026, 9, 6, 4, 0), "America/Santiago", 0, date(2026, 9, 1)),
        # Half an hour of summer time.
        (utc(2026, 10, 31, 12, 59), "Australia/Lord_Howe", 0, date(2026, 10, 1)),
        (utc(2026, 10, 31, 13, 0), "Australia/Lord_Howe", 0, date(2026, 11, 1)),
    ],
)
def test_the_month_goes_by_the_users_zone_and_start_of_day(
    moment: datetime, zone: str, day_start: int, month: date
) -> None:
    assert spaces.month_of(moment, zone=zone, day_start=day_start) == month


def test_a_body_is_in_the_month_of_its_end_in_the_users_zone(ada: Person) -> None:
    profiles.change_profile(ada.user, {"time_zone": "Pacific/Kiritimati", "day_start": 240})
    services.finish(ada.has_running().id, by=ada.actor)
    space = Space.objects.get()
    assert space.sky == spaces.month_of(space.created_at, zone="Pacific/Kiritimati", day_start=240)
    assert space.state().month == f"{space.sky:%Y-%m}"
