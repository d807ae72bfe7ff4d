"""Promise 1: a session ends exactly once, at its deadline, whatever happens to who ends it."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from tests.faults.audit import lateness_ms
from tests.faults.crowd import Crowd, crowd
from tests.faults.measured import Measured, quantile
from tests.faults.stack import Stack, kill, start_again

KILLED = "kill -9 of one of two timekeepers, again and again, with racing pauses"


def tell_lateness(space: Stack, measured: Measured, *, p99: float, latest: float) -> None:
    """How late ends were recorded, with what is promised of it in milliseconds."""
    with space.db() as db:
        late = lateness_ms(db)
    measured("sessions ended", len(late))
    measured("ends after their deadline, p50", quantile(late, 0.5), "ms")
    measured("ends after their deadline, p99", quantile(late, 0.99), "ms", promised=p99)
    measured("the latest end", late[-1], "ms", promised=latest)


@pytest.mark.fault("nothing (for comparison)", "1")
async def test_sessions_end_on_time(space: Stack, measured: Measured) -> None:
    server = space.server()
    space.timekeeper()
    space.timekeeper()
    async with crowd(space, server) as people:
        people.comes(100, due_in=(4, 7))
        await people.connect()
        await until(max(people.ends_at.values()))
        space.settle()
        measured("devices in step after the last end", await people.in_step(), "s", promised=0.25)
        await people.check()
    tell_lateness(space, measured, p99=100, latest=1_000)


@pytest.mark.timeout(120)
@pytest.mark.fault(KILLED, "1")
async def test_one_of_two_timekeepers_is_killed_again_and_again(
    space: Stack, measured: Measured
) -> None:
    server = space.server()
    keepers = [space.timekeeper(), space.timekeeper()]
    async with crowd(space, server) as people:
        people.comes(60, due_in=(4, 12))  # these have devices, and race
        people.comes(540, devices=0, due_in=(4, 12))  # these have not: nobody is connected
        await people.connect()
        racing = asyncio.create_task(race(people))
        last = max(people.ends_at.values())
        kills = 0
        while time.time() < last:
            victim = keepers[kills % 2]
            await asyncio.to_thread(kill, victim)
            kills += 1
            await asyncio.sleep(random.uniform(0.1, 0.5))
            await asyncio.to_thread(start_again, victim)
        await racing
        await asyncio.to_thread(space.settle)
        measured("kills", kills)
        measured("devices in step after the last end", await people.in_step(), "s", promised=6)
        await people.check()
    tell_lateness(space, measured, p99=1_000, latest=1_000)


async def race(people: Crowd) -> None:
    """Each device pauses its session at the last moment; whoever comes too late is told so."""

    async def one(device: object, session: int, at: float) -> None:
        await asyncio.sleep(max(0.0, at - time.time() + random.uniform(-0.03, 0.03)))
        answer = await device.command("pause", session)  # type: ignore[attr-defined]
        if answer is not None and answer["type"] == "ack":  # in time: then it ends early, or later
            await device.command("resume", session)  # type: ignore[attr-defined]

    await asyncio.gather(
        *(
            one(device, session, people.ends_at[session])
            for person in people.people
            for device in person.devices
            for session in [people.session_of[person.account.username]]
        )
    )


async def until(at: float) -> None:
    """Until this moment, in Unix time (of this machine, as PostgreSQL's here)."""
    await asyncio.sleep(max(0.0, at - time.time()))
