"""Promises 2 and 4: Redis only carries news. Without it the ticks go on, and nothing is lost."""

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
    """Nobody listens at its port."""
    await asyncio.to_thread(kill, space.ground.valkey)
    yield
    await comes_again(space.ground.valkey)


@asynccontextmanager
async def silent(space: Stack) -> AsyncIterator[None]:
    """It takes connections and what is said, and answers nothing."""
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
    """Two servers, devices on both: whatever one changes is shown by the other."""
    async with scene(space, *servers, ends_in=(3, 5 + lasts_s)) as it:
        async with it.acting(), fault(space):
            await asyncio.sleep(lasts_s)
        await it.heals(measured)
        await it.ends(measured, p99_ms=100)
        await it.people.check()


# -- rows ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.fault("Valkey is killed and started again", "2, 3, 4")
async def test_valkey_is_restarted(space: Stack, measured: Measured) -> None:
    await goes_on(space, measured, restarted, serving(space, {}, {}), lasts_s=1)


@pytest.mark.slow
@pytest.mark.fault("Valkey is killed, and comes again after 9 s", "2, 3, 4")
async def test_valkey_is_away_for_nine_seconds(space: Stack, measured: Measured) -> None:
    await goes_on(space, measured, away, serving(space, {}, {}), lasts_s=9)


@pytest.mark.slow
@pytest.mark.fault("Valkey is stopped (SIGSTOP) for 9 s", "2, 3, 4")
async def test_valkey_is_silent_for_nine_seconds(space: Stack, measured: Measured) -> None:
    await goes_on(space, measured, silent, serving(space, {}, {}), lasts_s=9)


@pytest.mark.slow
@pytest.mark.fault("FLUSHALL", "2, 3, 4")
async def test_valkey_is_emptied(space: Stack, measured: Measured) -> None:
    await goes_on(space, measured, emptied, serving(space, {}, {}), lasts_s=1)


@pytest.mark.slow
@pytest.mark.fault("CLIENT KILL TYPE pubsub", "2, 3, 4")
async def test_the_connections_that_listen_are_killed(space: Stack, measured: Measured) -> None:
    await goes_on(space, measured, subscribers_cut, serving(space, {}, {}), lasts_s=1)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["one of two servers", "all servers and the timekeeper"])
@pytest.mark.fault("a partition of 60 s between Valkey and one server, or all", "2, 3, 4")
async def test_valkey_is_partitioned(space: Stack, measured: Measured, who: str) -> None:
    """Nothing arrives, and nobody is told. The timekeeper publishes through the same network."""
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
