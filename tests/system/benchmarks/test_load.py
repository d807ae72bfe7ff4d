"""The load client against a small server: what it sends, and what it counts."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.bench import client

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


@asynccontextmanager
async def server(handle: Any) -> AsyncIterator[int]:
    async with serve(handle, "127.0.0.1", 0, compression=None) as running:
        yield next(iter(running.sockets)).getsockname()[1]


def run(program: Path, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What it says after connecting, and its report of one second."""
    with client.load(program, sockets=SOCKETS, per_session=2, seconds=1, **options) as load:
        connected = load.connected()
        load.begin()
        load.measured(1)
        return connected, load.report()


async def test_each_tick_is_counted_for_the_second_that_it_names(program: Path) -> None:
    async with server(tick_each_second) as port:
        connected, found = await asyncio.to_thread(run, program, port=port, protocol="plain")
    assert (connected["sockets"], connected["errors"]) == (SOCKETS, 0)
    assert (found["ticks"], found["expected"], found["missed"]) == (SOCKETS, SOCKETS, 0)
    assert (found["per_socket_min"], found["per_socket_max"]) == (1, 1)
    assert LATE_S * 1000 <= found["p50_ms"] <= found["p99_ms"] <= found["max_ms"] < 1_000
    assert sum(count for _, count in found["histogram"]) == SOCKETS


async def test_it_says_which_session_it_wants(program: Path) -> None:
    paths = []

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        paths.append(socket.request.path)
        await tick_each_second(socket)

    async with server(handle) as port:
        await asyncio.to_thread(run, program, port=port, protocol="plain")
    assert sorted(paths) == sorted(f"/?session={n // 2}" for n in range(SOCKETS))


async def test_seconds_without_a_tick_are_missed_and_closes_are_told(program: Path) -> None:
    count = 0

    async def handle(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        if count == 1:
            await socket.wait_closed()  # says nothing at all
        elif count == 2:
            await asyncio.sleep(0.3)
            await socket.close(4508)
        else:
            await tick_each_second(socket)

    async with server(handle) as port:
        _, found = await asyncio.to_thread(run, program, port=port, protocol="plain")
    assert found["missed"] in {1, 2}  # the one that was closed may have had its tick
    assert found["closed"] == {"4508": 1}


async def test_to_space_it_authenticates_with_the_token_of_its_user(
    program: Path, tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text("".join(f"token-{n}-{'x' * 300}\n" for n in range(3)))
    heard = []

    async def handle(socket: ServerConnection) -> None:
        heard.append(json.loads(await socket.recv()))
        await asyncio.sleep(0.2)
        await socket.send('{"type":"ready","server_time":"2026-11-22T12:00:00Z"}')
        await tick_each_second(socket)

    async with server(handle) as port:
        connected, found = await asyncio.to_thread(
            run,
            program,
            port=port,
            protocol="space",
            tokens=tmp_path / "tokens",
            epoch="e",
            since=7,
        )
    assert sorted(frame["token"][:7] for frame in heard) == sorted(
        ["token-0", "token-1", "token-2"] * 2
    )
    assert {(f["type"], f["epoch"], f["since"]) for f in heard} == {("authenticate", "e", 7)}
    assert connected["seconds"] >= 0.2, "it is in when it has its `ready`"
    assert found["missed"] == 0


async def test_it_speaks_socket_io_as_far_as_a_tick_needs(program: Path) -> None:
    async def handle(socket: ServerConnection) -> None:
        await socket.send('0{"sid":"x"}')
        assert await socket.recv() == "40"
        await socket.send('40{"sid":"y"}')
        await socket.send("2")
        assert await socket.recv() == "3"
        await tick_each_second(socket, '42["session.tick",', "]")

    async with server(handle) as port:
        connected, found = await asyncio.to_thread(run, program, port=port, protocol="socket.io")
    assert connected["errors"] == 0
    assert found["missed"] == 0


async def test_who_is_refused_is_an_error(program: Path) -> None:
    async def refuse(connection: ServerConnection, _request: Any) -> Any:
        return connection.respond(403, "no")

    async with serve(tick_each_second, "127.0.0.1", 0, process_request=refuse) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        connected, found = await asyncio.to_thread(run, program, port=port, protocol="plain")
    assert (connected["sockets"], connected["errors"]) == (0, SOCKETS)
    assert found["ticks"] == 0


async def test_who_stops_reading_misses_nothing_and_learns_that_it_was_cut(
    program: Path,
) -> None:
    count = 0

    async def handle(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        if count == 1:
            await asyncio.sleep(0.5)
            socket.transport.abort()
        else:
            await tick_each_second(socket)

    async with server(handle) as port:
        _, found = await asyncio.to_thread(run, program, port=port, protocol="plain", stall=1)
    assert found["expected"] == SOCKETS - 1
    assert (found["missed"], found["cut"]) == (0, 1)
