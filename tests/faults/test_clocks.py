"""Clocks are wrong. Promise 5: time is conserved."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

from benchmarks.load_generator.people import Person
from local.part import wait_for
from tests.faults.clocks import Clock
from tests.faults.crowd import Crowd, crowd
from tests.faults.measured import Measured
from tests.faults.stack import READY_S, Ground, Stack
from tests.faults.test_timekeepers import tell_lateness

NOTICED = "a clock was set by"
# Under libfaketime threads hand the interpreter over seven times more slowly.
SLOWED = {"unanswered", "tick_late"}


@pytest.fixture
def clock() -> Iterator[Clock]:
    """In a folder that PostgreSQL may read as any user."""
    with tempfile.TemporaryDirectory(prefix="space-clock-") as folder:
        Path(folder).chmod(0o755)
        yield Clock(Path(folder))


async def run_with_steps(
    space: Stack, measured: Measured, clock: Clock, steps: list[str], each_s: float
) -> None:
    """One of two servers and one of two timekeepers have that clock, the others the right one."""
    with_clock: dict[str, Any] = dict(clock.environment)
    wrong, right = await asyncio.gather(
        asyncio.to_thread(lambda: space.server(**with_clock)), asyncio.to_thread(space.server)
    )
    await asyncio.to_thread(lambda: space.timekeeper(**with_clock))
    await asyncio.to_thread(space.timekeeper)
    async with crowd(space, wrong, right) as people:
        people.comes(10, devices=2, due_in=(4, 3 + each_s * len(steps)))
        people.comes(2, devices=2)
        await people.connect()
        others = people.people[-2:]
        for step in steps:
            clock.step(step)
            await asyncio.sleep(each_s / 2)
            for number, person in enumerate(others):
                session = people.session_of(person)
                for device, action in zip(person.devices, ("pause", "resume"), strict=True):
                    # The token, too, must be as good as before: over the socket and over REST.
                    answer = await device.command(action, session)
                    assert answer is not None
                    assert answer["type"] == "ack", (step, answer)
                bases = (wrong.base, right.base)
                fresh = await asyncio.gather(*(status_of_a_get(person, base) for base in bases))
                assert fresh[0] == fresh[1] == 200, (step, number, fresh)
            await asyncio.sleep(each_s / 2)
        await people.until_ended()
        measured("the two servers' clocks apart", apart_ms(people), "ms", promised=100)
        measured("devices in step after the last end", await people.in_step(), "s", promised=6)
        await people.check(excused=SLOWED)
    tell_lateness(space, measured, p99=100, latest=1_000)
    assert "Traceback" not in space.logs()


async def status_of_a_get(person: Person, base: str) -> int:
    """The status of a plain GET at this server."""
    token = person.account.access
    async with httpx.AsyncClient(base_url=base, timeout=15) as http:
        answer = await http.get("/sessions/", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


def apart_ms(people: Crowd) -> float:
    """What the pongs of both servers say of the same moment."""
    at = time.monotonic() * 1000
    by_base: dict[str, list[float]] = {}
    for device in people.here:
        if device.check.clock.is_known:
            by_base.setdefault(device.base, []).append(device.check.clock.now(at))
    one, other = (median(values) for values in by_base.values())
    return abs(one - other)


@pytest.mark.fault("wall clock of a server and of a timekeeper stepped by two days", "5")
async def test_a_wall_clock_that_jumps_by_two_days_changes_nothing(
    space: Stack, measured: Measured, clock: Clock
) -> None:
    await run_with_steps(space, measured, clock, ["+2d", "-2d"], each_s=2)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.fault("wall clock of a server and of a timekeeper stepped, forth and back", "5")
async def test_a_wall_clock_that_jumps_to_and_fro_changes_nothing(
    space: Stack, measured: Measured, clock: Clock
) -> None:
    steps = ["+90", "-90", "+2d", "+0", "-2d", "+90", "+0"]
    await run_with_steps(space, measured, clock, steps, each_s=5)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("offset", ["+2d", "-2d"])
@pytest.mark.fault("server and timekeeper started with a wall clock wrong by two days", "5")
async def test_processes_that_start_with_a_wrong_clock_are_as_good_as_others(
    space: Stack, measured: Measured, clock: Clock, offset: str
) -> None:
    clock.step(offset)
    await run_with_steps(space, measured, clock, [offset], each_s=6)


# -- the database's ------------------------------------------------------------------------------

# What cannot be judged while the clock by which it is judged is stepped.
OF_TIME = {
    *("tick_off_its_second", "tick_late", "tick_early", "tick_repeated", "ticks_left_out"),
    *("tick_of_a_stopped_session", "told_late", "ended_late", "not_ended", "silent"),
    "ended_early",  # by what a device took for the time; the audit goes by the database's
}


@pytest.fixture
def clocked(_ground: Ground, clock: Clock) -> Iterator[Clock]:
    """PostgreSQL has this clock. It is started again for that, and once more at the end."""
    postgres = _ground.postgres
    before = postgres.environment
    postgres.environment = dict(before) | dict(clock.environment)
    _start_postgres_again(_ground)
    try:
        yield clock
    finally:
        clock.step("+0")
        postgres.environment = before
        _start_postgres_again(_ground)


def _start_postgres_again(ground: Ground) -> None:
    ground.postgres.stop()
    ground.postgres.start()
    ground.postgres.wait_until_ready(READY_S)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("offset", ["+90", "-90"])
@pytest.mark.fault("clock of PostgreSQL stepped by 90 s", "5")
async def test_a_step_of_the_database_s_clock_is_noticed_and_ends_nothing_twice(
    clocked: Clock, space: Stack, measured: Measured, offset: str
) -> None:
    server, _ = await asyncio.gather(
        asyncio.to_thread(space.server), asyncio.to_thread(space.timekeeper)
    )
    async with crowd(space, server) as people:
        people.comes(20, due_in=(4, 14))
        people.comes(10, due_in=(200, 300))
        await people.connect()
        await asyncio.sleep(6)
        clocked.step(offset)
        began = time.monotonic()
        noticed = await asyncio.to_thread(wait_for, lambda: NOTICED in server.log, 20.0)
        assert noticed, "nobody noticed"
        measured("noticed by a server after", time.monotonic() - began, "s", promised=6)
        measured("of it reported", step_reported(server.log), "s")
        for person in people.people[-10:]:
            session = people.session_of(person)
            for action in ("pause", "resume"):
                answer = await person.devices[0].command(action, session)
                assert answer is not None
                assert answer["type"] == "ack", answer
        await asyncio.sleep(2)
        clocked.step("+0")
        await asyncio.sleep(4)
        await asyncio.to_thread(wait_for, lambda: not space.sql(DUE_SOON), 120.0)
        await asyncio.to_thread(space.settle)
        measured("devices in step afterwards", await people.in_step(), "s", promised=6)
        await people.check(excused=OF_TIME)


DUE_SOON = """SELECT id FROM sessions_app_session
    WHERE status = 'running' AND ends_at < clock_timestamp() + interval '60 seconds'"""


def step_reported(log: str) -> float:
    """In seconds, as the line in the log says."""
    return float(log.split(NOTICED)[1].split()[0])
