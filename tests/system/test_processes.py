"""`serve --processes`: several servers behind one port, as real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from realtime.hub.drain import SOCKETS_CLOSE_WITHIN_S, SPREAD_S
from server.prefork import LONGEST_PAUSE_S, restart_pause_s
from tests.support.devices import Person, RawSocket, person, raw, until
from tests.support.servers import ROOT, Server, environment, is_alive, servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

SOCKETS = 24  # that all of them come to one of two processes: once in eight million runs
GONE_WITHIN_S = SOCKETS_CLOSE_WITHIN_S + SPREAD_S + 2.0


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
    """Whether the socket answers a ping, or is closed."""
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
        async with watching(ada) as again:  # also sockets that open while it is away: they wait
            assert [await answers(watcher) for watcher in again] == [True] * SOCKETS
    await until(lambda: len(tree.children) == 2)
    assert spared in tree.children
    assert killed not in tree.children
    assert "SIGKILL" in tree.log
    assert "starting it again at once" in tree.log


async def test_a_stopped_parent_closes_all_sockets_with_4503(tree: Server, ada: Person) -> None:
    children = tree.children
    async with watching(ada) as sockets:
        tree.terminate()
        endings = await asyncio.gather(*(watcher.ending() for watcher in sockets))
    assert {ending.code for ending in endings} == {4503}
    assert tree.seconds_to_exit() < GONE_WITHIN_S
    assert [is_alive(pid) for pid in children] == [False, False]
    assert "Traceback" not in tree.log


async def test_a_killed_parent_leaves_no_child_behind(tree: Server, ada: Person) -> None:
    children = tree.children
    async with watching(ada) as sockets:
        tree.kill()
        endings = await asyncio.gather(*(watcher.ending() for watcher in sockets))
    assert {ending.code for ending in endings} == {4503}
    await until(lambda: not any(is_alive(pid) for pid in children))


async def test_a_second_signal_ends_children_that_do_not_answer(tree: Server) -> None:
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


def test_a_port_that_is_taken_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("manage.py", "serve", "--processes", "2", "--port", str(port))
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize(
    ("deaths", "seconds"), [(1, 0), (2, 1), (3, 2), (4, 4), (21, LONGEST_PAUSE_S)]
)
def test_a_child_that_keeps_dying_is_started_ever_more_slowly(deaths: int, seconds: float) -> None:
    assert restart_pause_s(deaths) == seconds
