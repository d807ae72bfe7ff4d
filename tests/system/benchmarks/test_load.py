"""The load client against a small server: what it sends, and what it counts."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.bench import client
from benchmarks.compiler import compiled
from local.problem import Problem

LATE_S = 0.03
SOCKETS = 6


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("there is no C compiler on Linux")
    return client.build(tmp_path_factory.mktemp("load"))


def tick(instant: float) -> str:
    shown = datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")
    return json.dumps(
        {"type": "session.tick", "session": 1, "server_time": shown.replace("+00:00", "Z")},
        separators=(",", ":"),
    )


async def tick_each_second(socket: ServerConnection, before: str = "", after: str = "") -> None:
    second = int(time.time())
    while True:
        second += 1
        await asyncio.sleep(second + LATE_S - time.time())
        await socket.send(before + tick(second) + after)


Measure = Callable[..., Awaitable[tuple[dict[str, Any], dict[str, Any]]]]


@pytest.fixture
def measure(program: Path) -> Measure:
    """What the client prints of connecting to a server with this handler, and of one second."""

    def run(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        with client.load(program, sockets=SOCKETS, per_session=2, seconds=1, **options) as load:
            connected = load.connected()
            load.begin()
            load.measured(1)
            return connected, load.report()

    async def measured(handle: Any, refuse: Any = None, **options: Any) -> Any:
        async with serve(handle, "127.0.0.1", 0, compression=None, process_request=refuse) as there:
            port = next(iter(there.sockets)).getsockname()[1]
            return await asyncio.to_thread(run, {"port": port, "protocol": "plain"} | options)

    return measured


async def test_each_tick_counts_for_the_second_that_it_names(measure: Measure) -> None:
    paths = []

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        paths.append(socket.request.path)
        await tick_each_second(socket)

    connected, found = await measure(handle)
    assert sorted(paths) == sorted(f"/?session={n // 2}" for n in range(SOCKETS))
    assert (connected["sockets"], connected["errors"]) == (SOCKETS, 0)
    assert (found["ticks"], found["expected"], found["missed"]) == (SOCKETS, SOCKETS, 0)
    assert (found["per_socket_min"], found["per_socket_max"]) == (1, 1)
    assert LATE_S * 1000 <= found["p50_ms"] <= found["p99_ms"] <= found["max_ms"] < 1_000
    assert sum(count for _, count in found["histogram"]) == SOCKETS


async def test_missing_ticks_closes_and_cut_sockets_are_counted(measure: Measure) -> None:
    numbers = itertools.count()

    async def handle(socket: ServerConnection) -> None:
        match next(numbers):
            case 0:  # this client stops reading
                await asyncio.sleep(0.5)
                socket.transport.abort()
            case 1:
                await socket.wait_closed()  # without a tick
            case 2:
                await asyncio.sleep(0.3)
                await socket.close(4508)
            case _:
                await tick_each_second(socket)

    _, found = await measure(handle, stall=1)
    assert found["expected"] == SOCKETS - 1
    assert found["missed"] in {1, 2}  # the socket that was closed may have had its tick
    assert found["closed"] == {"4508": 1}
    assert found["cut"] == 1


async def test_to_space_it_authenticates_with_the_token_of_its_user(
    measure: Measure, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("".join(f"token-{n}-{'x' * 300}\n" for n in range(3)))
    received = []

    async def handle(socket: ServerConnection) -> None:
        received.append(json.loads(await socket.recv()))
        await asyncio.sleep(0.2)
        await socket.send('{"type":"ready","server_time":"2026-11-22T12:00:00Z"}')
        await tick_each_second(socket)

    connected, found = await measure(handle, protocol="space", tokens=tokens, epoch="e", since=7)
    assert sorted(frame["token"][:7] for frame in received) == [
        f"token-{n // 2}" for n in range(SOCKETS)
    ]
    assert {(f["type"], f["epoch"], f["since"]) for f in received} == {("authenticate", "e", 7)}
    assert connected["seconds"] >= 0.2, "a socket is in when it has its `ready`"
    assert found["missed"] == 0


async def test_it_speaks_socket_io_as_far_as_a_tick_needs(measure: Measure) -> None:
    async def handle(socket: ServerConnection) -> None:
        await socket.send('0{"sid":"x"}')
        assert await socket.recv() == "40"
        await socket.send('40{"sid":"y"}')
        await socket.send("2")
        assert await socket.recv() == "3"
        await tick_each_second(socket, '42["session.tick",', "]")

    connected, found = await measure(handle, protocol="socket.io")
    assert connected["errors"] == 0
    assert found["missed"] == 0


async def test_a_refused_handshake_is_an_error(measure: Measure) -> None:
    async def refuse(connection: ServerConnection, _request: Any) -> Any:
        return connection.respond(403, "no")

    connected, found = await measure(tick_each_second, refuse)
    assert (connected["sockets"], connected["errors"]) == (0, SOCKETS)
    assert found["ticks"] == 0


def test_without_a_compiler_it_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}")
    with pytest.raises(Problem, match="needs a C compiler"):
        compiled(client.SOURCE, tmp_path)
