"""`serve --processes`: several servers behind one port, as real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from realtime.hub.drain import PATIENCE_S, SPREAD_S
from server.prefork import LONGEST_WAIT_S, Prefork
from tests.support.devices import Person, RawSocket, person, raw, until
from tests.support.servers import ROOT, Server, environment, is_alive, servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

SOCKETS = 24  # that all of them come to one of two processes: once in eight million runs
GONE_WITHIN_S = PATIENCE_S + SPREAD_S + 2.0


@pytest.fixture(params=["uvicorn", "daphne"])
def tree(
    request: pytest.FixtureRequest, transactional_db: None, tmp_path: Path
) -> Iterator[Server]:
    """A parent with two servers. A test may end it."""
    with servers(tmp_path, f"{request.param} --processes 2", SOCKETS_PER_USER="100") as [server]:
        before = server.children
        assert len(before) == 2
        yield server
        for pid in {*before, *server.children}:
            assert not is_alive(pid) or server.part.is_alive(), "a child was left over"


@pytest.fixture
async def ada(tree: Server) -> Person:
    return await person(tree.base, "ada")


@asynccontextmanager
async def watching(ada: Person, count: int = SOCKETS) -> AsyncIterator[list[RawSocket]]:
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(raw(ada.account.base)) for _ in range(count)]
        for watcher in opened:
            assert (await watcher.authenticate(ada.account.access))["type"] == "ready"
        yield opened


async def answers(socket: RawSocket) -> bool:
    """Whether the socket lives: it is asked, and answers or is gone."""
    try:
        await socket.send(type="ping", client_time=1)
        await socket.next("pong")
    except ConnectionClosed:
        return False
    return True


async def test_a_killed_process_is_replaced_and_the_others_clients_never_notice(
    tree: Server, ada: Person
) -> None:
    killed, spared = tree.children
    session = await ada.has_running()
    async with watching(ada) as sockets:
        os.kill(killed, signal.SIGKILL)
        await until(lambda: not is_alive(killed))
        living = [watcher for watcher in sockets if await answers(watcher)]
        assert 0 < len(living) < SOCKETS  # both had some
        for watcher in living:
            assert (await watcher.next("session.tick"))["session"] == session.id
        async with watching(ada) as again:  # also who comes while it is away: they wait
            assert [await answers(watcher) for watcher in again] == [True] * SOCKETS
    await until(lambda: len(tree.children) == 2)
    assert spared in tree.children
    assert killed not in tree.children
    assert "SIGKILL" in tree.log
    assert "starting it again at once" in tree.log


async def test_all_are_told_when_the_parent_is_told(tree: Server, ada: Person) -> None:
    children = tree.children
    async with watching(ada) as sockets:
        tree.terminate()
        endings = await asyncio.gather(*(watcher.ending() for watcher in sockets))
    assert {ending.code for ending in endings} == {4503}
    assert tree.seconds_to_exit() < GONE_WITHIN_S
    assert [is_alive(pid) for pid in children] == [False, False]
    assert "Traceback" not in tree.log


async def test_a_killed_parent_leaves_nobody_behind(tree: Server, ada: Person) -> None:
    children = tree.children
    async with watching(ada) as sockets:
        tree.kill()
        endings = await asyncio.gather(*(watcher.ending() for watcher in sockets))
    assert {ending.code for ending in endings} == {4503}
    await until(lambda: not any(is_alive(pid) for pid in children))


async def test_who_is_told_twice_waits_for_nobody(tree: Server) -> None:
    children = tree.children
    for pid in children:
        os.kill(pid, signal.SIGSTOP)  # will never answer
    tree.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        tree.seconds_to_exit(0.5)
    tree.terminate()
    assert tree.seconds_to_exit() < GONE_WITHIN_S
    assert [is_alive(pid) for pid in children] == [False, False]


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=50,
    )


def test_a_server_that_cannot_start_stops_the_parent() -> None:
    fails = (
        "import sys; from server.listen import listeners;"
        "from server.prefork import Prefork;"
        "Prefork(lambda *_: sys.exit(3), listeners('127.0.0.1', 0, 1)).run()"
    )
    done = run("-c", fails)
    assert done.returncode == 1
    assert "server-1 stopped at once (exit code 3)" in done.stderr


def test_wrong_settings_stop_the_start() -> None:
    done = run("manage.py", "serve", "--processes", "2", "--port", "1", TOKEN_SIGNING_KEY="short")
    assert done.returncode == 1
    assert "TOKEN_SIGNING_KEY" in done.stderr


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        done = run("manage.py", "serve", "--processes", "2", "--port", str(port))
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize(
    ("deaths", "seconds"), [(0, 0), (1, 1), (2, 2), (3, 4), (20, LONGEST_WAIT_S)]
)
def test_who_keeps_dying_is_started_ever_more_slowly(deaths: int, seconds: float) -> None:
    parent = Prefork(lambda *_: None, [[]])
    [child] = parent.children
    child.quick_deaths = deaths
    process: Any = SimpleNamespace(pid=1, close=lambda: None)
    before = time.monotonic()
    parent._has_died(child, process, 1, 0.1)
    assert child.start_at - before == pytest.approx(seconds, abs=0.5)
