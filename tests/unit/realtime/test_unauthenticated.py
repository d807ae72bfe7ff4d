"""Sockets that are not authenticated, and users that connect again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from realtime.hub import unauthenticated
from realtime.hub.unauthenticated import UnauthenticatedSockets
from realtime.protocol.limits import CONNECT_ROUNDS, CONNECT_WINDOW_S, ConnectRate
from tests.unit.realtime.test_limits import Clock

MOST = 5


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Silent:
    """A socket that has sent nothing."""

    def __init__(self) -> None:
        self.closed = False

    def close_unauthenticated(self) -> None:
        self.closed = True


@pytest.fixture
def here(clock: Clock, settings: object, monkeypatch: pytest.MonkeyPatch) -> UnauthenticatedSockets:
    settings.SOCKETS_UNAUTHENTICATED = MOST  # type: ignore[attr-defined]
    monkeypatch.setattr(unauthenticated, "CHECK_INTERVAL_S", 0)
    return UnauthenticatedSockets(clock)


def connect(here: UnauthenticatedSockets, count: int) -> list[Silent]:
    new = [Silent() for _ in range(count)]
    for one in new:
        here.add(one)
    return new


async def looks(times: int = 3) -> None:
    for _ in range(2 * times):
        await asyncio.sleep(0)


async def test_above_the_limit_the_oldest_silent_sockets_are_closed(
    here: UnauthenticatedSockets, clock: Clock
) -> None:
    new = connect(here, MOST + 2)
    clock.now += unauthenticated.SILENT_S + 0.1
    await looks()
    assert [one.closed for one in new] == [True] * 2 + [False] * MOST
    assert len(here) == MOST


async def test_a_crowd_that_has_just_connected_stays(
    here: UnauthenticatedSockets, clock: Clock
) -> None:
    new = connect(here, unauthenticated.HARD_FACTOR * MOST)
    clock.now += unauthenticated.SILENT_S - 0.1
    await looks()
    assert not any(one.closed for one in new)


async def test_a_socket_that_may_have_sent_its_token_while_the_loop_was_busy_stays(
    here: UnauthenticatedSockets, clock: Clock
) -> None:
    """The first look after a long pause has not read what came in it; the second has."""
    new = connect(here, MOST + 1)
    clock.now += 60
    here._check()
    assert not any(one.closed for one in new)
    here._check()
    assert [one.closed for one in new] == [True] + [False] * MOST


async def test_far_above_the_limit_the_oldest_is_closed_at_once(
    here: UnauthenticatedSockets,
) -> None:
    new = connect(here, unauthenticated.HARD_FACTOR * MOST + 1)
    assert [one.closed for one in new] == [True] + [False] * unauthenticated.HARD_FACTOR * MOST


async def test_authenticated_and_closed_sockets_do_not_count(
    here: UnauthenticatedSockets, clock: Clock
) -> None:
    new = connect(here, MOST + 2)
    for one in new[:2]:
        here.discard(one)
        here.discard(one)
    clock.now += 10
    await looks()
    assert len(here) == MOST
    assert not any(one.closed for one in new)


# -- coming in again and again -------------------------------------------------------------------


def allowed(rate: ConnectRate, user: int) -> int:
    return sum(rate.allows(user) for _ in range(1_000))


def test_each_user_may_connect_all_sockets_six_times_in_a_minute(clock: Clock) -> None:
    rate = ConnectRate(clock, sockets_per_user=10)
    assert allowed(rate, 1) == allowed(rate, 2) == CONNECT_ROUNDS * 10 == 60
    clock.now += CONNECT_WINDOW_S / 2
    assert allowed(rate, 1) == 30


def test_a_user_who_is_always_over_the_rate_connects_once_a_second(clock: Clock) -> None:
    rate = ConnectRate(clock, sockets_per_user=10)
    allowed(rate, 1)
    passed = 0
    for _ in range(100):
        clock.now += 0.1
        passed += allowed(rate, 1)
    assert 9 <= passed <= 11


@pytest.mark.parametrize("busy", [lambda _: None, lambda rate: rate.allows(0)])
def test_a_user_without_connections_for_a_minute_is_dropped(
    clock: Clock, busy: Callable[[ConnectRate], object]
) -> None:
    rate = ConnectRate(clock, sockets_per_user=10)
    for user in range(10_000):
        rate.allows(user)
        busy(rate)
    clock.now += CONNECT_WINDOW_S + 1
    rate.allows(1)
    assert len(rate) == 1
