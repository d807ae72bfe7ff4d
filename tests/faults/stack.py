"""PostgreSQL, Valkey, servers and timekeepers as processes that a test may break.

A `Ground` is the two stores, with a database that is migrated once; a `Stack` is what runs on it
for one test, in a database of its own. PostgreSQL writes to the disk as in production: what it has
acknowledged must outlive `kill -9`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from local.part import Part, wait_for
from local.servers import Programs, lasting_servers
from tests.faults import audit
from tests.support.proxy import Proxy, proxy_to, through
from tests.support.servers import Server, reserved_port, server_on, timekeeper_part

ROOT = Path(__file__).resolve().parents[2]
READY_S = 40.0  # a cold start on a busy machine
SETTLED_WITHIN_S = 10.0  # until nothing is due any more, with timekeepers that live
TEMPLATE = "migrated"
STORES = ("DATABASE_URL", "REDIS_URL")


class Ground:
    """The two stores. `postgres` and `valkey` can be killed, stopped and started again."""

    def __init__(self, folder: Path, parts: list[Part], addresses: dict[str, str]) -> None:
        self.folder = folder
        self.valkey, self.postgres = parts
        self.redis_url = addresses["REDIS_URL"]
        self._postgres_url = addresses["DATABASE_URL"]
        self._numbers = itertools.count(1)

    def url_of(self, database: str) -> str:
        return self._postgres_url.rpartition("/")[0] + "/" + database

    def make_template(self) -> None:
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as db:
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        manage(self.environment(TEMPLATE), "migrate", "--noinput", "--verbosity", "0")

    def new_database(self) -> str:
        name = f"fault_{next(self._numbers)}"
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as db:
            query = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            db.execute(query.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        return name

    def drop(self, database: str) -> None:
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as db:
            query = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            db.execute(query.format(sql.Identifier(database)))

    def environment(self, database: str) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.url_of(database),
            "REDIS_URL": self.redis_url,
            "CHANNEL_PREFIX": f"{database}-{self.folder.name}",
            "PYTHONUNBUFFERED": "1",
            # All users of a crowd share one address, and some send many requests.
            "LIMIT_REQUESTS_PER_MINUTE": "100000",
            "LIMIT_REFRESHES_PER_MINUTE": "100000",
        }

    def heal(self) -> None:
        """Both answer again, whatever the test did to them."""
        for part in (self.valkey, self.postgres):
            if part.is_alive():
                signal_to(part, signal.SIGCONT)
            else:
                part.start()
            part.wait_until_ready(READY_S)


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Stores that live as long as this."""
    given = {name: value for name, value in os.environ.items() if name not in STORES}
    with lasting_servers(folder, folder, _programs, given) as servers:
        made = Ground(folder, servers.parts, servers.addresses)
        made.make_template()
        yield made


class Stack:
    """What runs on the ground for one test. All of it is stopped, and known by its pid."""

    def __init__(self, on: Ground, folder: Path, exits: ExitStack) -> None:
        self.ground, self.folder = on, folder
        self.code = ROOT  # of what is started from now on: another version of Space
        self.database = on.new_database()
        self.failpoints = folder / "failpoints"
        self.failpoints.mkdir()
        self.environment = on.environment(self.database) | {
            "SPACE_FAILPOINTS": str(self.failpoints),
            "MEDIA_ROOT": str(folder / "media"),
        }
        self.servers: list[Server] = []
        self.timekeepers: list[Part] = []
        self._exits = exits
        self._numbers = itertools.count(1)

    # -- what runs -------------------------------------------------------------------------------

    def server(
        self, kind: str = "uvicorn", *, ready: bool = True, start: bool = True, **more: str
    ) -> Server:
        """A server ("uvicorn", "daphne --processes 2"), ready unless that is not wanted."""
        port = self._exits.enter_context(reserved_port())
        log = self.folder / f"server-{port}.log"
        server = server_on(port, log, self.environment | more, kind, self.code)
        self._exits.callback(_end, server.part)
        self.servers.append(server)
        if start:
            server.part.start()
            if ready:
                server.part.wait_until_ready(READY_S)
        return server

    def servers_together(
        self, *environments: dict[str, str], kind: str = "uvicorn"
    ) -> list[Server]:
        """A server for each of the environments, started side by side. All are ready."""
        started = [self.server(kind, ready=False, **more) for more in environments]
        for server in started:
            server.part.wait_until_ready(READY_S)
        return started

    def timekeeper(self, **more: str) -> Part:
        log = self.folder / f"timekeeper-{next(self._numbers)}.log"
        part = timekeeper_part(log, self.environment | more, self.code)
        self._exits.callback(_end, part)
        self.timekeepers.append(part)
        part.start()
        part.wait_until_ready(READY_S)
        return part

    def proxy(self, url: str) -> Proxy:
        """A proxy to the host of this URL; the URL by way of it is `through(proxy, url)`."""
        return self._exits.enter_context(proxy_to(url))

    def behind(self, name: str) -> tuple[Proxy, dict[str, str]]:
        """A proxy to "DATABASE_URL" or "REDIS_URL", and the environment that goes by way of it."""
        proxy = self.proxy(self.environment[name])
        return proxy, {name: through(proxy, self.environment[name])}

    # -- the truth -------------------------------------------------------------------------------

    def db(self) -> psycopg.Connection:
        """A connection of the test's own, past all proxies. Autocommit."""
        return psycopg.connect(self.ground.url_of(self.database), autocommit=True)

    def sql(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        with self.db() as db:
            cursor = db.execute(query, given)
            return cursor.fetchall() if cursor.description else []

    def settle(self, patience_s: float = SETTLED_WITHIN_S) -> float:
        """Waits until nothing is due any more; gives the seconds that took."""
        began = time.monotonic()
        query = audit.WRONG["un-ended past deadline"]
        with self.db() as db:
            in_time = wait_for(lambda: not db.execute(query).fetchall(), patience_s)
            assert in_time, f"not ended after {patience_s} s: {audit.examples(db)}"
        return time.monotonic() - began

    def audit(self) -> dict[str, int]:
        """All zeros, or the test fails with examples."""
        with self.db() as db:
            found = audit.audit(db)
            assert not any(found.values()), audit.examples(db)
        return found

    def lateness_ms(self, newest: int | None = None) -> list[int]:
        """Of each end at a deadline, in rising order: see `audit.lateness_ms`."""
        with self.db() as db:
            return audit.lateness_ms(db, newest)

    # -- faults ----------------------------------------------------------------------------------

    def arm(self, failpoint: str, action: str) -> None:
        """The next process that reaches this failpoint does it: see `runtime/failpoints.py`.

        A rename makes it appear whole, so that no process reads half of it.
        """
        unfinished = self.failpoints / f".{failpoint}"
        unfinished.write_text(action)
        unfinished.rename(self.failpoints / failpoint)

    def pid_at(self, failpoint: str, patience_s: float = 20.0) -> int:
        """The pid of the process that reached the failpoint. Waits for one."""

        def taken() -> list[Path]:
            return list(self.failpoints.glob(f"{failpoint}.*"))

        assert wait_for(lambda: bool(taken()), patience_s), f"no process reached {failpoint}"
        return int(taken()[0].suffix[1:])

    def logs(self) -> str:
        return "\n".join(file.read_text() for file in sorted(self.folder.glob("*.log*")))


@contextmanager
def stack(on: Ground, folder: Path) -> Iterator[Stack]:
    """Everything that the test starts on it is gone afterwards, and the ground is whole."""
    with ExitStack() as exits:
        made = Stack(on, folder, exits)
        exits.callback(on.drop, made.database)
        exits.callback(on.heal)
        yield made


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def kill(part: Part) -> None:
    """SIGKILL, as by the kernel when memory runs out."""
    signal_to(part, signal.SIGKILL)
    assert part.process is not None
    part.process.wait()


def start_again(part: Part) -> None:
    """Ready, by the log that it writes now; that of before is kept beside it."""
    _start_again(part)
    part.wait_until_ready(READY_S)


async def comes_again(part: Part) -> None:
    """The same where devices live in the loop. A part dies with the thread that started it
    (`local/guard.py`), and a thread of `asyncio.to_thread` is gone before the audit."""
    _start_again(part)
    await asyncio.to_thread(part.wait_until_ready, READY_S)


def _start_again(part: Part) -> None:
    number = len(list(part.log.parent.glob(f"{part.log.name}.*")))
    if part.log.exists():
        part.log.rename(part.log.with_name(f"{part.log.name}.{number}"))
    part.start()


def signal_to(part: Part, number: signal.Signals) -> None:
    assert part.pid is not None
    os.kill(part.pid, number)


def manage(environment: dict[str, str], *arguments: str, code: Path = ROOT) -> str:
    """The output of a command of manage.py. Raises if it fails."""
    command: list[str | Path] = [sys.executable, code / "manage.py", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def new_prefix() -> str:
    return f"f{secrets.token_hex(3)}"


def _programs() -> Programs:
    return Programs.below(Path(sysconfig.get_path("purelib")))


def _end(part: Part) -> None:
    """It may be stopped, or have been killed; nothing of it is needed."""
    if part.is_alive():
        signal_to(part, signal.SIGCONT)
        part.stops_by = ((signal.SIGTERM, 1.0),)
    part.stop()
