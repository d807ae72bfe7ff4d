"""Timekeepers fail. Promise 1: a session ends exactly once, at its deadline."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter

import pytest

from benchmarks.load_generator.people import Person
from local.part import Part
from tests.faults.crowd import Crowd, crowd
from tests.faults.measured import Measured, quantile
from tests.faults.stack import READY_S, Stack, kill, start_again

KILLED = (
    "kill -9 of one of two timekeepers, again and again, 600 sessions due in 12 s, racing pauses"
)
ALL_KILLED = "kill -9 of all timekeepers, ten seconds, start again"
STOPPED = "SIGSTOP of a timekeeper inside its transaction, then SIGCONT"
BEFORE = "crash before commit: a timekeeper that has written ends"
AFTER = "crash after commit, before publish: a timekeeper"
AWAY_S = 10.0

pytestmark = pytest.mark.timeout(300)  # the ground is made within the first one's time


@pytest.mark.fault("nothing (for comparison)", "1")
async def test_sessions_end_on_time(space: Stack, measured: Measured) -> None:
    server = space.server()
    space.timekeeper()
    space.timekeeper()
    async with crowd(space, server) as people:
        people.comes(50, due_in=(4, 6))
        await people.connect()
        await until(max(people.ends_at.values()))
        await asyncio.to_thread(space.settle)
        measured("devices in step after the last end", await people.in_step(), "s", promised=0.25)
        await people.check()
    tell_lateness(space, measured, p99=100, latest=1_000)


@pytest.mark.slow
@pytest.mark.usefixtures("by_the_rules_only")
@pytest.mark.fault(KILLED, "1")
async def test_one_of_two_timekeepers_is_killed_again_and_again(
    space: Stack, measured: Measured
) -> None:
    server = space.server()
    keepers = [space.timekeeper(), space.timekeeper()]
    async with crowd(space, server) as people:
        people.comes(60, due_in=(12, 24))  # these have devices
        people.comes(540, devices=0, due_in=(12, 24))  # these have not: nobody is connected
        await people.connect()
        racing = asyncio.create_task(race(people))
        first, last = min(people.ends_at.values()), max(people.ends_at.values())
        await until(first)
        kills = 0
        while time.time() < last - 0.5:  # somebody will come by a failpoint in that time
            kills += 1
            if kills % 2:
                victim = keepers[kills // 2 % 2]
                await asyncio.to_thread(kill, victim)
            else:
                victim = await asyncio.to_thread(crashed, space, "ends_written")
            await asyncio.to_thread(start_again, victim)
        won = await racing
        await asyncio.to_thread(space.settle)
        measured("kills", kills)
        measured("pauses that came first", won[PAUSED])
        measured("pauses that came too late", won.total() - won[PAUSED])
        measured("devices in step after the last end", await people.in_step(), "s", promised=6)
        await people.check()
        assert won.total() == sum(RACERS)
        assert won.keys() <= {PAUSED, *TOO_LATE}
        assert len(space.lateness_ms()) == 600
    tell_lateness(space, measured, p99=1_000, latest=1_000)


@pytest.mark.slow
@pytest.mark.fault(ALL_KILLED, "1")
async def test_all_timekeepers_are_killed_and_start_again_after_ten_seconds(
    space: Stack, measured: Measured
) -> None:
    server = space.server()
    keepers = [space.timekeeper(), space.timekeeper()]
    async with crowd(space, server) as people:
        people.comes(60, due_in=(5, 14))
        people.comes(240, devices=0, due_in=(5, 14))
        await people.connect()
        await until(min(people.ends_at.values()) + 1)
        for keeper in keepers:
            await asyncio.to_thread(kill, keeper)
        before = len(space.lateness_ms())
        await asyncio.sleep(AWAY_S)
        assert len(space.lateness_ms()) == before  # no server ends a session
        began = time.monotonic()
        for keeper in keepers:
            keeper.start()
        await asyncio.to_thread(space.settle)
        measured("all had ended, from the restart on", time.monotonic() - began, "s", promised=5)
        measured("devices in step then", await people.in_step(), "s", promised=6)
        measured("sessions that had ended before", before)
        measured("ended_at other than the deadline", not_at_deadline(space, people), promised=0)
        await people.check(excused={"ended_late", "not_ended"})  # nobody ended them
    measured("sessions ended", len(space.lateness_ms()))


@pytest.mark.slow
@pytest.mark.fault(STOPPED, "1")
async def test_a_timekeeper_is_stopped_inside_its_transaction_and_goes_on_later(
    space: Stack, measured: Measured
) -> None:
    server = space.server()
    keepers = [space.timekeeper(), space.timekeeper()]
    async with crowd(space, server) as people:
        people.comes(60, due_in=(4, 4.2))
        space.arm("ends_written", "stop")
        await people.connect()
        pid = await asyncio.to_thread(space.pid_at, "ends_written")
        thawed, other = sorted(keepers, key=lambda keeper: keeper.pid != pid)
        try:
            await until(max(people.ends_at.values()))
            await asyncio.to_thread(space.settle)  # by the other one
            measured("devices in step after the last end", await people.in_step(), "s", promised=6)
            late = space.lateness_ms()
        finally:
            os.kill(pid, signal.SIGCONT)
        measured("the latest end", late[-1], "ms", promised=1_000)
        # It has lost its connection, and its work. It must find back, and do what comes alone.
        await asyncio.to_thread(kill, other)
        people.comes(60, due_in=(3, 4))
        await people.connect()
        await until(max(people.ends_at.values()))
        await asyncio.to_thread(space.settle)
        by_thawed = space.lateness_ms(newest=60)
        measured("the latest end by the thawed one", max(by_thawed), "ms", promised=1_000)
        measured("devices in step then", await people.in_step(), "s", promised=6)
        assert (thawed.is_alive(), thawed.pid) == (True, pid)
        assert "Traceback" not in thawed.log.read_text()
        await people.check()


@pytest.mark.parametrize(
    "failpoint",
    [
        pytest.param("ends_written", marks=pytest.mark.fault(BEFORE, "1, 2")),
        pytest.param("committed", marks=[pytest.mark.slow, pytest.mark.fault(AFTER, "1, 2")]),
    ],
)
async def test_a_timekeeper_crashes_while_it_ends_sessions(
    space: Stack, measured: Measured, failpoint: str
) -> None:
    server = space.server()
    space.timekeeper()
    space.timekeeper()
    async with crowd(space, server) as people:
        people.comes(30, due_in=(3, 3.3))
        space.arm(failpoint, "crash")
        await people.connect()
        await asyncio.to_thread(crashed, space, failpoint)
        await until(max(people.ends_at.values()))
        measured("all had ended", await asyncio.to_thread(space.settle), "s", promised=1)
        measured("devices in step then", await people.in_step(), "s", promised=6)
        await people.check()
    tell_lateness(space, measured, p99=1_000, latest=1_000)


# -- what they do and tell -------------------------------------------------------------------------

RACERS = (60, 240)  # by a socket, by REST
PAUSED = "paused"
TOO_LATE = {"already_due", "illegal_transition"}  # due and not ended yet, ended


async def race(people: Crowd) -> Counter[str]:
    """Many pause a session at the last moment; whoever comes too late is told so.

    How often what was answered: `PAUSED`, or the code of a refusal.
    """

    async def at_its_end(session: int) -> None:
        # A busy machine is slow to answer: half of them have more of a start.
        early_s = random.choice([random.uniform(-0.03, 0.03), random.uniform(0, 0.6)])
        await asyncio.sleep(max(0.0, people.ends_at[session] - early_s - time.time()))

    async def by_socket(person: Person) -> str:
        [device], session = person.devices, people.session_of(person)
        await at_its_end(session)
        answer = await device.command("pause", session)
        assert answer is not None
        if answer["type"] == "ack":  # in time: then it ends early, or later
            await device.command("resume", session)
            return PAUSED
        return str(answer["code"])

    async def by_rest(person: Person) -> str:
        token, session = person.account.access, people.session_of(person)
        await at_its_end(session)
        answer = await people.rest.ask("POST", f"/sessions/{session}/pause/", token)
        if answer.status_code == 200:
            await people.rest.ask("POST", f"/sessions/{session}/resume/", token)
            return PAUSED
        return str(answer.json()["code"])

    with_device = [person for person in people.people if person.devices][: RACERS[0]]
    without = [person for person in people.people if not person.devices][: RACERS[1]]
    return Counter(await asyncio.gather(*map(by_socket, with_device), *map(by_rest, without)))


def crashed(space: Stack, failpoint: str) -> Part:
    """Waits for the timekeeper that comes by the failpoint, which is armed, and for its end."""
    if not list(space.failpoints.glob(f"{failpoint}*")):
        space.arm(failpoint, "crash")
    pid = space.pid_at(failpoint)
    part = next(part for part in space.timekeepers if part.pid == pid)
    assert part.process is not None
    part.process.wait(READY_S)
    (space.failpoints / f"{failpoint}.{pid}").unlink()
    return part


def tell_lateness(space: Stack, measured: Measured, *, p99: float, latest: float) -> None:
    """How late ends were recorded, with what is promised of it in milliseconds."""
    late = space.lateness_ms()
    measured("sessions ended", len(late))
    measured("ends after their deadline, p50", quantile(late, 0.5), "ms")
    measured("ends after their deadline, p99", quantile(late, 0.99), "ms", promised=p99)
    measured("the latest end", late[-1], "ms", promised=latest)


def not_at_deadline(space: Stack, people: Crowd) -> int:
    """Sessions whose `ended_at` is not the deadline with which they came."""
    stored = dict(
        space.sql("SELECT id, extract(epoch FROM ended_at)::float FROM sessions_app_session")
    )
    return sum(stored[session] != at for session, at in people.ends_at.items())


async def until(at: float) -> None:
    """Until this moment, in Unix time (of this machine, as PostgreSQL's here)."""
    await asyncio.sleep(max(0.0, at - time.time()))
