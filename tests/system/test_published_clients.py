"""The clients that docs/protocol.md shows, run as a reader runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounts.models import Login
from benchmarks.device import Account
from local.part import wait_for
from realtime.database import in_database
from sessions_app import services
from tests.support.devices import Person
from tests.support.servers import Server, servers

CLIENTS = Path(__file__).resolve().parents[2] / "docs" / "clients"
PATIENCE_S = 20.0
PASSWORD = "a long walk at dusk"

NODE = shutil.which("node")
KINDS = [
    "client.py",
    pytest.param(
        "client.mjs",
        marks=pytest.mark.skipif(NODE is None, reason="Node is not here: client.mjs is not run"),
    ),
]


async def person(server: Server) -> Person:
    """A user who signs up over REST, since the server checks the password with its own hasher."""
    account = await Account.sign_up(server.base, "ada")
    login = await in_database(Login.objects.get, user_id=account.user["id"])
    return Person(account, login)


@pytest.fixture
async def ada(one: Server) -> Person:
    return await person(one)


class Terminal:
    """A client that runs: what it says, and a keyboard for it."""

    def __init__(self, name: str, base: str, user: str, log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*_runtime(name), CLIENTS / name, base, user, PASSWORD],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    def shows(self, pattern: str, after: int = 0) -> int:
        """Waits until it says so; where in its words that ends."""
        found: list[re.Match[str]] = []

        def said() -> bool:
            found[:] = list(re.finditer(pattern, self.log.read_text()[after:], re.MULTILINE))[:1]
            return bool(found)

        assert wait_for(said, PATIENCE_S), f"no {pattern!r} in:\n{self.log.read_text()[after:]}"
        return after + found[0].end()

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


def _runtime(name: str) -> list[str]:
    if name.endswith(".py"):
        return [sys.executable]
    assert NODE is not None
    has_sockets = subprocess.run(
        [NODE, "-e", "process.exit(globalThis.WebSocket ? 0 : 1)"], check=False
    )
    return [NODE] if has_sockets.returncode == 0 else [NODE, "--experimental-websocket"]


Run = Callable[[str, str], Terminal]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts the client of this name at this server, for Ada."""
    started: list[Terminal] = []

    def run(name: str, base: str) -> Terminal:
        started.append(Terminal(name, base, "ada", tmp_path / f"{name}.log"))
        return started[-1]

    yield run
    for terminal in started:
        terminal.close()


def counting(status: str) -> str:
    """A line of the countdown of "Write", as either client draws it."""
    return rf"^(0:24:[0-5]\d|0:25:00|1[45]\d\d) {status} Write$"


@pytest.mark.parametrize("name", KINDS)
async def test_a_published_client_counts_and_follows_other_devices(
    ada: Person, run: Run, name: str
) -> None:
    session = await ada.has_session()
    client = run(name, ada.account.base)
    at = client.shows("^connected")
    client.type(f"start {session.id}")
    for _ in range(3):  # the start, and two seconds
        at = client.shows(counting("running"), at)
    await ada.does(services.pause, session.id)
    at = client.shows(counting("paused"), at)
    client.type(f"resume {session.id}")
    client.shows(counting("running"), at)
    drawn = re.findall(r"^.*\b(?:running|paused) Write$", client.log.read_text(), re.MULTILINE)
    assert all(re.match(counting(r"\w+"), line) for line in drawn)  # from the first one on


@pytest.mark.parametrize("name", KINDS)
async def test_a_published_client_shows_that_a_stale_command_is_refused(
    ada: Person, run: Run, name: str
) -> None:
    session = await ada.has_running()
    client = run(name, ada.account.base)
    at = client.shows(counting("running"))
    client.type(f"start {session.id}")
    client.shows("^The session's status does not allow this", at)


@pytest.mark.parametrize("name", KINDS)
async def test_a_published_client_reconnects_and_gets_what_it_missed(
    transactional_db: None, run: Run, name: str, tmp_path: Path
) -> None:
    with servers(tmp_path, "uvicorn") as [server]:
        ada = await person(server)
        session = await ada.has_running()
        client = run(name, server.base)
        at = client.shows(counting("running"))
        server.kill()
        server.seconds_to_exit()
        at = client.shows("^lost", at)
        await ada.does(services.pause, session.id)
        server.part.start()
        at = client.shows("^connected, missed: paused$", at)
        client.shows(counting("paused"), at)


@pytest.mark.parametrize("name", KINDS)
async def test_a_published_client_renews_an_expired_token(
    transactional_db: None, run: Run, name: str, tmp_path: Path
) -> None:
    short = "tests.support.short_tokens"
    with servers(tmp_path, "uvicorn", DJANGO_SETTINGS_MODULE=short) as [server]:
        ada = await person(server)
        await ada.has_running()
        client = run(name, server.base)
        at = client.shows(counting("running"), client.shows("^connected"))
        at = client.shows("^connected", at)  # the server has closed with 4401 meanwhile
        client.shows(counting("running"), at)


@pytest.mark.parametrize("name", KINDS)
async def test_a_published_client_stops_when_its_login_was_ended(
    ada: Person, run: Run, name: str
) -> None:
    client = run(name, ada.account.base)
    client.shows("^connected")
    async with ada.account.http() as http:
        assert (await http.post("/users/logout-all/")).is_success
    client.shows("401")


def test_each_has_less_than_sixty_lines_of_code() -> None:
    for client in CLIENTS.iterdir():
        lines = [line for line in client.read_text().splitlines() if re.search(r"\w", line)]
        code = [line for line in lines if not re.match(r'\s*(#|//|/\*|""")', line)]
        assert len(code) < 60


@pytest.mark.parametrize("client", sorted(CLIENTS.iterdir()), ids=lambda path: path.name)
def test_the_protocol_shows_each_as_it_is(client: Path) -> None:
    shown = (CLIENTS.parent / "protocol.md").read_text()
    assert client.read_text() in shown
