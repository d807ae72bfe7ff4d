"""Clients and their connections fail. Promises 3 and 7: no other client is delayed by that."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time

import httpx
import pytest

from benchmarks.load_generator.histogram import Histogram
from benchmarks.load_generator.people import Person
from tests.faults.bad_clients import bad_readers
from tests.faults.crowd import Crowd, crowd
from tests.faults.measured import Measured
from tests.faults.stack import Stack
from tests.support.proxy import proxy_to
from tests.support.servers import Server

RESET = "client: reset (RST) in the middle of a command, then the command again with its key"
LOST = "client: the response of a command is lost, then the command again with its key"
BAD = "clients that never read, and that read 1 KB/s, of users who change something all the time"
HALF_OPEN = "client: half open (its connection goes dead without a word)"
PEOPLE = 10
HONEST = 8
BUSY = 3  # people who pause and resume all the time
BAD_EACH = 8  # connections: a user has at most ten
CALM_S = 5.0
BAD_S = 20.0
TICKS_ENOUGH, PATIENCE_S = 20, 60.0
TICKS = "a tick after its second"
TOKEN = secrets.token_hex(32)
FREED_WITHIN_S = 61.0  # a ping after 30 s at most, 30 s for its answer, and a moment to look

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(False, marks=[pytest.mark.slow, pytest.mark.fault(RESET, "3, 7")]),
        pytest.param(True, marks=pytest.mark.fault(LOST, "3, 7")),
    ],
    ids=["reset", "response lost"],
)
async def test_a_command_whose_answer_did_not_come_happens_once(
    lost: bool, space: Stack, measured: Measured
) -> None:
    server = space.server()
    proxy = space.proxy(server.base)
    by_proxy = Server(f"http://127.0.0.1:{proxy.port}", server.part)
    async with crowd(space, server) as honest, crowd(space, by_proxy) as people:
        honest.comes(HONEST)
        people.comes(PEOPLE)
        await honest.connect()
        await people.connect()
        before = await ticks_for(honest, 1.5)
        if lost:
            await asyncio.to_thread(proxy.mute)
        given = [
            (device, people.session_of(person), secrets.token_hex(8))
            for person in people.people
            for device in person.devices
        ]
        asked = [
            asyncio.create_task(device._command("pause", session, key, {}))
            for device, session, key in given
        ]
        if lost:
            await paused(space, PEOPLE)
        else:
            await asyncio.sleep(0)  # the commands are written now
        await asyncio.to_thread(proxy.reset)
        await asyncio.to_thread(proxy.heal)
        assert not lost or await asyncio.gather(*asked) == [None] * PEOPLE
        answers = [await device._repeat("pause", s, key, {}) for device, s, key in given]
        again = [await device._repeat("pause", s, key, {}) for device, s, key in given]
        wrong = sum(
            first is None or first["type"] != "ack" or first["version"] != 3 or first != second
            for first, second in zip(answers, again, strict=True)
        )
        measured("commands that happened twice, or not", wrong, promised=0)
        during = await ticks_for(honest, 1.5)
        tell_delay(measured, before, during)
        await people.all_here()
        measured("devices in step", await people.in_step(), "s", promised=6)
        await people.check()
        await honest.check()


@pytest.mark.slow
@pytest.mark.fault(BAD, "7")
async def test_a_client_that_does_not_read_delays_nobody(space: Stack, measured: Measured) -> None:
    small = {"DJANGO_SETTINGS_MODULE": "tests.support.small_buffers", "METRICS_TOKEN": TOKEN}
    server = space.server(**small)  # type: ignore[arg-type]
    async with crowd(space, server) as honest, crowd(space, server) as busy:
        honest.comes(HONEST)
        busy.comes(BUSY)
        await honest.connect()
        await busy.connect()
        changing = [asyncio.create_task(changes(busy, person)) for person in busy.people]
        before = await ticks_for(honest, CALM_S)
        accounts = [person.account for person in busy.people]
        async with bad_readers(accounts, server.base, each=BAD_EACH) as bad:
            during = await ticks_for(honest, BAD_S)
            measured("bad connections", bad)
            measured("of them closed as too slow", await metric(server, "space_sockets_too_slow"))
        for task in changing:
            task.cancel()
        await asyncio.gather(*changing, return_exceptions=True)
        commands = busy.tally.count["requests answered 200"]
        measured("changes that they should have read", commands)
        tell_delay(measured, before, during)
        await honest.check()
        await busy.check()


@pytest.mark.slow
@pytest.mark.fault(HALF_OPEN, "2, 7")
async def test_a_device_that_vanished_is_found_by_a_ping(space: Stack, measured: Measured) -> None:
    server = space.server(METRICS_TOKEN=TOKEN)
    async with crowd(space, server) as honest:
        honest.comes(HONEST)
        await honest.connect()
        before = await ticks_for(honest, CALM_S)
        with proxy_to(server.base) as proxy:
            by_proxy = Server(f"http://127.0.0.1:{proxy.port}", server.part)
            async with crowd(space, by_proxy) as people:
                people.comes(PEOPLE)
                await people.connect()
                assert await metric(server, "space_sockets") == HONEST + PEOPLE
                await asyncio.to_thread(proxy.blackhole)
                began = time.monotonic()
                during = await ticks_for(honest, CALM_S)
                while await metric(server, "space_sockets") > HONEST:
                    assert time.monotonic() < began + 2 * FREED_WITHIN_S, "still held"
                    await asyncio.sleep(0.5)
                measured("freed", time.monotonic() - began, "s", promised=FREED_WITHIN_S)
                await asyncio.to_thread(proxy.heal)
                measured("devices are back", await people.all_here(), "s")
                measured("devices in step", await people.in_step(), "s", promised=6)
                await people.check(excused=["silent", "unanswered", "close_not_allowed"])
        tell_delay(measured, before, during)
        await honest.check()


async def changes(people: Crowd, person: Person) -> None:
    """Pauses and resumes by REST, for ever: the socket allows two frames a second."""
    session, access = people.session_of(person), person.account.access
    for action in itertools.cycle(["pause", "resume"]):
        answer = await people.rest.ask("POST", f"/sessions/{session}/{action}/", access)
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(0.1)


async def ticks_for(people: Crowd, seconds: float) -> Histogram:
    """How late ticks were in these seconds."""
    heard = people.tally.took[TICKS] = Histogram()
    await asyncio.sleep(seconds)
    async with asyncio.timeout(PATIENCE_S):
        # While we are late ourselves none is judged.
        while heard.count < TICKS_ENOUGH:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return heard


def tell_delay(measured: Measured, before: Histogram, during: Histogram) -> None:
    """A busy machine is late by itself: what counts is by how much more."""
    assert before.count
    assert during.count
    later = during.quantile(0.99) - before.quantile(0.99)
    measured("others' ticks after their second, p99", during.quantile(0.99), "ms")
    measured("later than before, p99", max(0.0, later), "ms", promised=100)


async def paused(space: Stack, count: int, patience_s: float = PATIENCE_S) -> None:
    """Waits until so many sessions are paused in the database."""
    query = "SELECT count(*) FROM sessions_app_session WHERE status = 'paused'"
    async with asyncio.timeout(patience_s):
        while (await asyncio.to_thread(space.sql, query)) != [(count,)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def metric(server: Server, name: str) -> int:
    async with httpx.AsyncClient(timeout=10) as http:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await http.get(f"{server.base}/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    lines = [line.split() for line in answer.text.splitlines()]
    return round(
        sum(float(line[1]) for line in lines if line and line[0] in {name, f"{name}_total"})
    )
