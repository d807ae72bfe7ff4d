"""Whole servers and timekeepers as processes of their own, on the database of the tests."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote

from django.db import connection

from local.part import Part
from realtime.database import in_database
from sessions_app.models import Session

ROOT = Path(__file__).resolve().parents[2]
READY_S = 30.0  # a cold start on a busy machine


def environment(**more: str) -> dict[str, str]:
    """That of the tests, with the database that Django made for them."""
    db = connection.settings_dict
    user, password = quote(db["USER"], safe=""), quote(db["PASSWORD"], safe="")
    host = quote(db["HOST"], safe="")
    return os.environ | {
        "DATABASE_URL": f"postgres://{user}:{password}@{host}:{db['PORT']}/{db['NAME']}",
        "PYTHONUNBUFFERED": "1",
        # All people of all tests of a worker come from one address.
        "LIMIT_SIGNUPS_PER_MINUTE": "100000",
        **more,
    }


@dataclass
class Server:
    """A process that serves at `base`."""

    base: str
    part: Part

    @property
    def log(self) -> str:
        return self.part.log.read_text()

    def kill(self) -> None:
        """SIGKILL, as by the kernel when memory runs out."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    @property
    def children(self) -> list[int]:
        """The pids of the processes below it (Linux)."""
        assert self.part.pid is not None
        return children_of(self.part.pid)

    def seconds_to_exit(self, patience_s: float = 20.0) -> float:
        """Waits for it to be gone. Raises `TimeoutExpired`."""
        assert self.part.process is not None
        began = time.monotonic()
        self.part.process.wait(patience_s)
        return time.monotonic() - began

    def start_again(self) -> None:
        """On the same port, once what was there is gone."""
        self.seconds_to_exit()
        self.part.start()
        self.part.wait_until_ready(READY_S)

    def _signal(self, number: signal.Signals) -> None:
        assert self.part.pid is not None
        os.kill(self.part.pid, number)


def children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port that nobody else gets until the end, while a server of ours may listen on it."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()  # elsewhere it would be in the way
        yield port


def server_on(
    port: int, log: Path, environment: Mapping[str, str], kind: str = "uvicorn", code: Path = ROOT
) -> Server:
    """A server that is not started yet, of this kind ("uvicorn", "daphne --processes 2")."""
    arguments = ["serve", "--port", str(port), "--server", *kind.split()]
    part = _part(kind, code, arguments, log, environment, lambda _: answers(port, "/readyz"))
    return Server(f"http://127.0.0.1:{port}", part)


def timekeeper_part(log: Path, environment: Mapping[str, str], code: Path = ROOT) -> Part:
    """A timekeeper that is not started yet."""

    def runs(part: Part) -> bool:
        return part.log.exists() and "is running" in part.log.read_text()

    return _part("timekeeper", code, ["run_timekeeper"], log, environment, runs)


def _part(
    name: str,
    code: Path,
    arguments: list[str],
    log: Path,
    environment: Mapping[str, str],
    is_ready: Callable[[Part], bool],
) -> Part:
    command: list[str | Path] = [sys.executable, code / "manage.py", *arguments]
    return Part(name, command, log, environment, is_ready)


@contextmanager
def servers(folder: Path, *kinds: str, **more: str) -> Iterator[list[Server]]:
    """Ready servers of these kinds ("uvicorn", "daphne --processes 2"), started together."""
    with ExitStack() as stack:
        started = []
        for number, kind in enumerate(kinds):
            port = stack.enter_context(reserved_port())
            log = folder / f"{kind.split()[0]}-{number}.log"
            started.append(server_on(port, log, environment(**more), kind))
            stack.callback(started[-1].part.stop)
            started[-1].part.start()
        for server in started:
            server.part.wait_until_ready(READY_S)
        yield started


@contextmanager
def timekeeper(folder: Path, name: str = "timekeeper", **more: str) -> Iterator[Part]:
    """A timekeeper that has begun."""
    part = timekeeper_part(folder / f"{name}.log", environment(**more))
    part.start()
    try:
        part.wait_until_ready(READY_S)
        yield part
    finally:
        part.stop()


async def stored(session_id: int, status: str, patience_s: float = 10.0) -> Session:
    """The session, once the database says that it is so. No socket is needed for it."""
    async with asyncio.timeout(patience_s):
        while True:
            session = await in_database(Session.objects.get, pk=session_id)
            if session.status == status:
                return session
            await asyncio.sleep(0.02)


def answers(port: int, path: str) -> bool:
    """200 within three seconds."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=3)) as http:
        try:
            http.request("GET", path)
            return http.getresponse().status == 200
        except (OSError, HTTPException):
            return False
