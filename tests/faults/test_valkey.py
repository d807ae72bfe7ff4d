"""Valkey fails. Promises 2 and 4: ticks go on without it, and no change is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import redis

from tests.faults.measured import Measured
from tests.faults.scene import scene, serving
from tests.faults.stack import Stack, comes_again, kill, stopped
from tests.support.servers import Server

pytestmark = pytest.mark.timeout(300)
Fault = Callable[[Stack], AbstractAsyncContextManager[None]]


# -- faults --------------------------------------------------------------------------------------


@asynccontextmanager
async def restarted(space: Stack) -> AsyncIterator[None]:
    await asyncio.to_thread(kill, space.ground.valkey)
    await comes_again(space.ground.valkey)
    yield


@asynccontextmanager
async def away(space: Stack) -> AsyncIterator[None]:
    """Its port refuses connections."""
    await asyncio.to_thread(kill, space.ground.valkey)
    yield
    await comes_again(space.ground.valkey)


@asynccontextmanager
async def silent(space: Stack) -> AsyncIterator[None]:
    """It accepts connections and commands, and answers nothing."""
    assert space.ground.valkey.pid is not None
    with stopped(space.ground.valkey.pid):
        yield


@asynccontextmanager
async def emptied(space: Stack) -> AsyncIterator[None]:
    with redis.Redis.from_url(space.ground.redis_url) as valkey:
        await asyncio.to_thread(valkey.flushall)
    yield


@asynccontextmanager
async def subscribers_cut(space: Stack) -> AsyncIterator[None]:
    with redis.Redis.from_url(space.ground.redis_url) as valkey:
        cut = await asyncio.to_thread(valkey.execute_command, "CLIENT", "KILL", "TYPE", "pubsub")
    assert cut >= len(space.servers)
    yield


async def goes_on(
    space: Stack, measured: Measured, fault: Fault, servers: list[Server], *, lasts_s: float
) -> None:
    """Two servers, devices on both: a change by one device is shown by the other."""
    async with scene(space, *servers, ends_in=(3, 5 + lasts_s)) as it:
        async with it.acting(), fault(space):
            await asyncio.sleep(lasts_s)
        await it.heals(measured)
        await it.ends(measured, p99_ms=100)
        await it.people.check()


# -- rows ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.fault("Valkey fails", "2, 3, 4")
@pytest.mark.parametrize(
    ("what", "fault", "lasts_s"),
    [
        ("Valkey is killed and started again", restarted, 1),
        ("Valkey is killed, and comes again after 9 s", away, 9),
        ("Valkey is stopped (SIGSTOP) for 9 s", silent, 9),
        ("FLUSHALL", emptied, 1),
        ("CLIENT KILL TYPE pubsub", subscribers_cut, 1),
    ],
)
async def test_ticks_and_changes_go_on_while_valkey_fails(
    space: Stack, measured: Measured, what: str, fault: Fault, lasts_s: float
) -> None:
    measured.fault = what
    await goes_on(space, measured, fault, serving(space, {}, {}), lasts_s=lasts_s)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["one of two servers", "all servers and the timekeeper"])
@pytest.mark.fault("a partition of 60 s between Valkey and one server, or all", "2, 3, 4")
async def test_valkey_is_partitioned(space: Stack, measured: Measured, who: str) -> None:
    """Packets are lost, and no connection is closed. The timekeeper is in the same network."""
    measured.fault = f"a partition of 60 s between Valkey and {who}"
    proxy, behind = space.behind("REDIS_URL")
    if who == "one of two servers":
        servers = serving(space, behind, {})
    else:
        space.environment |= behind
        servers = serving(space, {}, {})

    @asynccontextmanager
    async def partition(_: Stack) -> AsyncIterator[None]:
        proxy.blackhole()
        yield
        proxy.heal()

    await goes_on(space, measured, partition, servers, lasts_s=60)
