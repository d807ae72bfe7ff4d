"""A small flood, by what is counted, not by how long it takes: `benchmarks/flood.py` measures."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import pytest

from benchmarks import flood
from benchmarks.device import device
from realtime.hub.background import Node
from tests.support.devices import Person, person, raw, until
from tests.support.live_server import served
from tests.support.servers import Server, servers

SECONDS = 4.0
SILENT, STUCK = 60, 10


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def server(
    request: pytest.FixtureRequest,
    django_db_setup: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("flood")
    with servers(folder, request.param, SOCKETS_UNAUTHENTICATED="30") as [one]:
        yield one


async def test_honest_sockets_stay_and_get_every_tick(
    server: Server, transactional_db: None
) -> None:
    hostile = await person(server.base, "mallory")
    honest = [await person(server.base, f"user{number}") for number in range(5)]
    for one in honest:
        await one.has_running()
    port = int(server.base.rpartition(":")[2])
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        devices = [await stack.enter_async_context(device(one.account)) for one in honest]
        with ThreadPoolExecutor(3) as threads:
            token = hostile.account.access
            did = await asyncio.gather(
                loop.run_in_executor(threads, flood.floods, port, SECONDS, token),
                loop.run_in_executor(threads, flood.stuck, port, SECONDS, [token], STUCK),
                flood.silent(port, SECONDS, SILENT),
            )
        for watcher in devices:
            await watcher.measure_clock(1)  # it is still there, and is answered
    codes = sum((done.codes for done in did), Counter[int]())
    assert set(codes) <= {0, 1005, 4400, 4408, 4409, 4429}, codes
    assert codes[4400] + codes[4429] > 0
    assert codes[4408] > 0  # silent ones made room, before their five seconds were over
    for watcher in devices:
        seconds = [f["remaining_ms"] for f in watcher.frames if f["type"] == "session.tick"]
        assert seconds == list(range(seconds[0], seconds[-1] - 1, -1000))  # none was left out
        assert len(seconds) >= SECONDS - 1
    for word in ("Traceback", " ERROR ", " CRITICAL "):
        assert word not in server.log


# -- what is left of it --------------------------------------------------------------------------


@pytest.fixture
async def ada(transactional_db: None) -> AsyncIterator[Person]:
    async with served() as base:
        yield await person(base, "ada")


async def test_a_closed_socket_is_freed_without_the_garbage_collector(ada: Person) -> None:
    """It comes seldom in a server, and until then who comes and goes would fill the memory."""
    import gc
    import weakref

    from realtime.sockets import consumer

    came: list[weakref.ref[consumer.DeviceConsumer]] = []
    arrive = Node.here().unauthenticated.add

    def noted(stranger: consumer.DeviceConsumer) -> None:
        came.append(weakref.ref(stranger))
        arrive(stranger)

    Node.here().unauthenticated.add = noted  # type: ignore[method-assign,assignment]
    gc.disable()
    try:
        for number in range(20):
            async with raw(ada.account.base) as socket:
                if number % 2:
                    await socket.authenticate(ada.account.access)
                if number % 3 == 0:
                    for _ in range(5):
                        await socket.send_raw("nonsense")
                    await socket.ending()
        assert len(came) == 20
        await until(lambda: not any(one() for one in came[:-1]))
    finally:
        gc.enable()
