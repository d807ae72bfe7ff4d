"""Servers are killed, stopped, shut down, blocked or starved, with devices connected to them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import pytest

from benchmarks.load_generator.histogram import Histogram
from benchmarks.load_generator.lag import now_ms
from benchmarks.load_generator.people import Person
from local.part import wait_for
from tests.faults.crowd import Crowd, crowd
from tests.faults.disconnects import EXPECTED, codes, longest_way_back_s, most_at_once
from tests.faults.measured import Figure, Measured, quantile
from tests.faults.poller import Poller, polling
from tests.faults.stack import READY_S, Stack, kill, start_again, stopped
from tests.faults.toggling import toggling
from tests.support.cpu_load import busy_cores
from tests.support.servers import Server, is_alive

pytestmark = pytest.mark.timeout(300)
slow = pytest.mark.slow

TICK = "a tick after its second"
FEW, MANY = 40, 500
AT_A_TIME = 100
ENOUGH_TICKS = 10
STANDS_S, ENDS_ITSELF_WITHIN_S = 60, 20  # a loop that stands, and its watchdog
STOPPED_S = 45
HOGGED_S = 30
MOST_AT_ONCE = 25  # per cent of the sockets within a window, where a drain takes a second
WINDOW_MS = 100


def fault(what: str, promise: str) -> pytest.MarkDecorator:
    return pytest.mark.fault(what, promise)


# -- crashes in the middle of a command ------------------------------------------------------------


@pytest.mark.parametrize(
    "failpoint",
    [
        pytest.param(
            "change_written", marks=[slow, fault("crash before commit: a server at a command", "3")]
        ),
        pytest.param(
            "committed",
            marks=fault("crash after commit, before publish: a server at a command", "3"),
        ),
    ],
)
async def test_a_command_during_which_its_server_crashes_happens_once(
    space: Stack, measured: Measured, failpoint: str
) -> None:
    servers = two(space)
    async with crowd(space, *servers) as people:
        people.comes(FEW // 2, devices=2)  # one on each server
        await people.connect()
        space.arm(failpoint, "crash")
        began = now_ms()
        answers = await asyncio.gather(
            *(
                person.devices[n % 2].command("pause", people.session_of(person))
                for n, person in enumerate(people.people)
            )
        )
        measured("the last answer", since_s(began), "s", promised=10)
        assert Counter(answer and answer["type"] for answer in answers) == {"ack": FEW // 2}
        pid = space.pid_at(failpoint, 0)
        assert pid in {server.part.pid for server in servers}
        measured("commands repeated", people.tally.count["commands repeated over REST"])
        await people.all_here()
        measured("devices back", longest_way_back_s(people.devices, began), "s", promised=10)
        measured("devices in step then", await people.in_step(), "s", promised=6)
        measured("commands that did not happen once", not_once(space, FEW // 2), promised=0)
        await people.check()


# -- servers that go -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(FEW, marks=[slow, fault(f"kill -9 of a server with {FEW} sockets", "2, 6")]),
        pytest.param(MANY, marks=[slow, fault(f"kill -9 of a server with {MANY} sockets", "2, 6")]),
    ],
)
@pytest.mark.usefixtures("by_the_rules_only")
async def test_the_devices_of_a_server_that_is_killed_come_back_to_another(
    space: Stack, measured: Measured, count: int
) -> None:
    victim, other = two(space)
    async with crowd(space, victim, other) as people, crowd(space, other) as neighbours:
        neighbours.comes(10)
        await neighbours.connect()
        await all_come(people, count)
        killed = now_ms()
        await asyncio.to_thread(kill, victim.part)
        paused = await pause_by_rest(people, people.people[:10])
        await people.all_here()
        measured("all are back", longest_way_back_s(people.devices, killed), "s", promised=10)
        await people.in_step()
        measured("all are back and in step", since_s(killed), "s", promised=10)
        tell_lag(people, measured)
        assert paused == 10
        await people.check()
        await neighbours.check()


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        pytest.param(
            "uvicorn", FEW, marks=fault(f"SIGTERM of a server with {FEW} sockets (uvicorn)", "3, 6")
        ),
        pytest.param(
            "uvicorn",
            MANY,
            marks=[slow, fault(f"SIGTERM of a server with {MANY} sockets (uvicorn)", "3, 6")],
        ),
        pytest.param(
            "daphne",
            MANY,
            marks=[slow, fault(f"SIGTERM of a server with {MANY} sockets (Daphne)", "3, 6")],
        ),
    ],
)
@pytest.mark.usefixtures("by_the_rules_only")
async def test_a_server_that_gets_sigterm_closes_its_sockets_with_a_reason(
    space: Stack, measured: Measured, kind: str, count: int
) -> None:
    victim, other = two(space, kind)
    async with crowd(space, victim, other) as people:
        await all_come(people, count)
        busy = people.people[:10]
        async with asking(people) as poller, toggling(people, busy) as commands:
            await asyncio.sleep(0.5)
            people.lag.histogram = Histogram()
            told = now_ms()
            victim.terminate()
            await asyncio.to_thread(victim.seconds_to_exit)
            lag_ms = people.lag.histogram.most
            measured("it is gone", since_s(told), "s", promised=5)
            await people.all_here()
            await people.in_step()
            measured("all are back and in step", since_s(told), "s", promised=10)
        tell_partings(people, measured, told)
        # Few come together by chance; and a program that is late itself reads many at once.
        promised = MOST_AT_ONCE if count == MANY and lag_ms <= WINDOW_MS else None
        share = 100 * most_at_once(people.devices, told, WINDOW_MS)
        measured(f"the most of them within {WINDOW_MS} ms", share, "%", promised=promised)
        measured("the devices' own program was late by at most", lag_ms, "ms")
        tell_answers(poller, measured)
        measured("commands meanwhile", commands.count)
        measured("commands that did not happen once", commands.wrong(space), promised=0)
        await people.check()


@slow
@fault("a rolling deploy of two servers and two timekeepers, devices acting", "1, 2, 3, 6")
async def test_a_rolling_deploy_loses_nothing(space: Stack, measured: Measured) -> None:
    servers = two(space)
    keepers = [space.timekeeper(), space.timekeeper()]
    async with crowd(space, *servers) as people:
        people.comes(30, devices=2, due_in=(5, 60))
        people.comes(200, devices=0, due_in=(5, 60))
        await people.connect()
        began = now_ms()
        async with people.acting(people.people[:30]), asking(people) as poller:
            for server in servers:
                server.terminate()
                await asyncio.to_thread(server.start_again)
                await asyncio.sleep(2)  # as deploys wait between two
            for keeper in keepers:
                keeper.ask_to_stop()
                assert keeper.process is not None
                await asyncio.to_thread(keeper.process.wait, READY_S)
                await asyncio.to_thread(start_again, keeper)
        await people.all_here()
        measured("devices in step at the end", await people.in_step(), "s", promised=6)
        tell_partings(people, measured, began)
        tell_answers(poller, measured)
        tell_lag(people, measured)
        for person in people.people[:30]:
            await person.evening()  # each log, row by row
        await people.until_ended()
        await people.in_step()
        await people.check()
    tell_ends(space, measured)


# -- servers that stand still ----------------------------------------------------------------------


@slow
@fault(f"SIGSTOP of a server for {STOPPED_S} s, then SIGCONT", "2, 7")
async def test_a_server_that_was_stopped_goes_on_and_tells_what_was_missed(
    space: Stack, measured: Measured
) -> None:
    frozen, other = two(space)
    assert frozen.part.pid is not None
    async with crowd(space, other, frozen) as people, crowd(space, other) as neighbours:
        people.comes(20, devices=2)  # the first ones on the other server
        neighbours.comes(20)
        await people.connect()
        await neighbours.connect()
        there = [device for device in people.devices if device.base == frozen.base]
        elsewhere = [device for device in people.devices if device.base == other.base]
        assert len(there) == len(elsewhere) == 20
        for device in there[:10]:
            device.is_patient = True  # these wait for as long as it takes
        forget_ticks(neighbours)
        began = now_ms()
        with stopped(frozen.part.pid):
            await asyncio.sleep(5)
            assert await pause_by_rest(people, people.people) == 20
            heard = await people.in_step(devices=elsewhere)
            measured("changes on the devices of the other server", heard, "s", promised=0.25)
            await asyncio.sleep(STOPPED_S - since_s(began))
            tell_ticks(neighbours, measured, "ticks of devices on the other server")
            assert all(device.is_here for device in there[10:])  # by now they are elsewhere
            await people.in_step(devices=there[10:])
        thawed = now_ms()
        await people.in_step()
        measured("devices in step after SIGCONT", since_s(thawed), "s", promised=6)
        lost = codes(there[:10], began)
        measured("patient devices that lost their connection", sum(lost.values()))
        measured("impatient ones that gave up", people.tally.count["silent connections given up"])
        await asyncio.sleep(5)  # for a watchdog that would hold this against its process
        assert "exiting, to be started again" not in frozen.log
        assert frozen.part.is_alive()
        # Devices heard nothing for 45 seconds, and what they had asked was not answered.
        await people.check(excused={"silent", "unanswered", "told_late"})
        await neighbours.check()


@slow
@fault(f"a handler that blocks the loop {STANDS_S} s", "2, 7")
async def test_a_process_whose_loop_is_blocked_is_started_again(
    space: Stack, measured: Measured
) -> None:
    server = space.server("uvicorn --processes 2")
    async with crowd(space, server) as people:
        people.comes(FEW)
        await people.connect()
        space.arm("frame", f"sleep {STANDS_S}")
        pid = await asyncio.to_thread(space.pid_at, "frame")
        blocked = now_ms()
        forget_ticks(people)
        gone = await asyncio.to_thread(wait_for, lambda: not is_alive(pid), STANDS_S - 5)
        assert gone, "the watchdog did not end the blocked process"
        ended = now_ms()
        measured(
            "it stood, until it was ended", since_s(blocked), "s", promised=ENDS_ITSELF_WITHIN_S
        )
        async with asyncio.timeout(10):  # the devices have to notice first
            while not any(device.losses for device in people.devices):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # and all of them
        untouched = [device for device in people.devices if not device.losses]
        tell_ticks(people, measured, "ticks of devices on the other process")
        await people.all_here()
        measured("devices are back", since_s(ended), "s", promised=10)
        assert 0 < len([device for device in people.devices if device.losses]) < FEW
        assert await pause_by_rest(people, people.people) == FEW
        measured("devices in step then", await people.in_step(), "s", promised=6)
        assert untouched
        assert not codes(untouched, blocked)
        await people.check(excused={"unanswered"})  # by a process that stands


@slow
@fault(f"two CPU hogs for {HOGGED_S} s", "1, 2")
async def test_every_promise_holds_beside_two_busy_processes(
    space: Stack, measured: Measured
) -> None:
    server = space.server()
    space.timekeeper()
    space.timekeeper()
    async with crowd(space, server) as people:
        people.comes(60, due_in=(5, HOGGED_S + 3))
        people.comes(140, devices=0, due_in=(5, HOGGED_S + 3))
        people.comes(20)
        await people.connect()
        with busy_cores(2):
            await asyncio.sleep(HOGGED_S)
        await asyncio.to_thread(space.settle)
        measured("devices in step afterwards", await people.in_step(), "s", promised=6)
        tell_ticks(people, measured, "ticks", promised=None)
        measured(
            "connections lost", sum(len(device.losses) for device in people.devices), promised=0
        )
        assert "stands still" not in space.logs()
        await people.check()
    tell_ends(space, measured)


# -- steps -----------------------------------------------------------------------------------------


def two(space: Stack, kind: str = "uvicorn") -> tuple[Server, Server]:
    """Two ready servers, started together."""
    first, second = space.servers_together({}, {}, kind=kind)
    return first, second


async def all_come(people: Crowd, count: int) -> None:
    """Devices connect in groups: a rush is another fault."""
    while count > 0:
        people.comes(min(count, AT_A_TIME))
        await people.connect(within_s=60)
        count -= AT_A_TIME


async def pause_by_rest(people: Crowd, whom: Sequence[Person]) -> int:
    """Past their devices. How many were paused."""

    async def one(person: Person) -> bool:
        path = f"/sessions/{people.session_of(person)}/pause/"
        answer = await people.rest.ask("POST", path, person.account.access)
        return answer.status_code == 200

    return sum(await asyncio.gather(*map(one, whom)))


def asking(people: Crowd) -> AbstractAsyncContextManager[Poller]:
    """One user asks each server over REST, until the end."""
    return polling(people.bases, people.people[-1].account.access)


# -- figures ---------------------------------------------------------------------------------------


def forget_ticks(people: Crowd) -> None:
    """So that only those count which come from now on."""
    people.tally.took.pop(TICK, None)


def tell_ticks(people: Crowd, measured: Measured, whose: str, promised: float | None = 100) -> None:
    """How late they came. Those do not count which came while the devices' program was late."""
    ticks = people.tally.took[TICK]
    measured(f"{whose} that could be judged", ticks.count)
    if ticks.count >= ENOUGH_TICKS:
        measured("the latest in a thousand of them", ticks.quantile(0.999), "ms", promised=promised)


def tell_partings(people: Crowd, measured: Measured, since_ms: float) -> None:
    """How connections ended from that moment on, and how long the way back was."""
    lost = codes(people.devices, since_ms)
    untold = sum(count for code, count in lost.items() if code not in EXPECTED)
    measured("sockets closed", lost.total())
    measured("sockets closed without 4503 or 1012", untold, promised=0)
    way_back_s = longest_way_back_s(people.devices, since_ms)
    measured("the longest way back of a device", way_back_s, "s", promised=10)


def tell_answers(poller: Poller, measured: Measured) -> None:
    measured("REST requests meanwhile", poller.statuses.total())
    measured("of them 5xx", poller.errors, promised=0)
    # On a starved machine one takes longer than it has: told, and no failure.
    measured.figures.append(Figure("cut", len(poller.cut), promised=0))
    measured("the slowest", poller.latest_s, "s", promised=10)
    assert set(poller.statuses) <= {200}, poller.statuses


def tell_lag(people: Crowd, measured: Measured) -> None:
    """How late the program of the devices was itself: it shares the cores with what it measures."""
    measured("lag of the devices' own program, p99", people.lag.histogram.quantile(0.99), "ms")


def tell_ends(space: Stack, measured: Measured) -> None:
    late = space.lateness_ms()
    measured("sessions ended", len(late))
    measured("ends after their deadline, p99", quantile(late, 0.99), "ms", promised=100)
    measured("the latest end", late[-1], "ms", promised=1_000)


def not_once(space: Stack, paused: int) -> int:
    """Of sessions that were each paused once: how many the log does not say so of."""
    rows = space.sql(
        "SELECT session_id FROM sessions_app_sessionevent WHERE kind = 'paused'"
        " GROUP BY session_id HAVING count(*) = 1"
    )
    return paused - len(rows)


def since_s(at: float) -> float:
    """Seconds since then, in milliseconds of this machine's clock."""
    return (now_ms() - at) / 1000
