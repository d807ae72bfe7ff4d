"""Space, run for measuring: PostgreSQL, Valkey and servers of its own, as in production."""

from __future__ import annotations

import http.client
import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.bench.alone import alone_on_this_machine
from benchmarks.bench.machine import Cores, on, raise_file_limit
from local import network
from local.checkout import Checkout
from local.environment import SERVERS
from local.instance import the_only_one
from local.part import Part, guarded
from local.problem import Problem
from local.servers import Servers, lasting_servers

ROOT = Path(__file__).resolve().parents[2]
READY_S = 60.0
ALL_SOCKETS = 1_000_000  # of one user


@dataclass
class Stage:
    """The servers below, with users in the database."""

    checkout: Checkout
    home: Path
    cores: Cores
    environment: dict[str, str]
    servers: Servers
    populated: dict[str, Any]  # by populate.py

    @property
    def tokens_file(self) -> Path:
        return self.home / "tokens"

    def tokens(self) -> list[str]:
        return self.tokens_file.read_text().split()

    @property
    def redis_url(self) -> str:
        return self.servers.addresses["REDIS_URL"]

    def pid_of(self, name: str) -> int | None:
        return next((part.pid for part in self.servers.parts if part.name == name), None)

    def log(self, name: str) -> Path:
        """An empty log."""
        log = self.home / "log" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        return log

    @contextmanager
    def serve(
        self, kind: str = "uvicorn", name: str = "space", *options: str, **more: str
    ) -> Iterator[tuple[Part, int]]:
        """A server process on its core, and its port. `options` are those of `serve`."""
        port = network.free_port()
        arguments = ("serve", "--port", str(port), "--server", kind, *options)
        part = Part(
            f"Space ({kind})",
            self.checkout.manage_command(*arguments),
            self.log(name),
            self.environment | more,
            lambda _: answers(port, "/readyz"),
        )
        with running(part, self.cores):
            yield part, port


@contextmanager
def running(part: Part, cores: Cores) -> Iterator[Part]:
    """The part on the server's core. It is killed at the end: nothing of it is needed then."""
    part.stops_by = ()
    try:
        with on(cores.server):
            part.start()
        part.wait_until_ready(READY_S)
        yield part
    finally:
        part.stop()


@contextmanager
def stage(
    checkout: Checkout, home: Path, cores: Cores, users: int | None = None
) -> Iterator[Stage]:
    """Without `users` the database is left as it is. Raises `AlreadyRunning`."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with the_only_one(home, str(checkout.root)):
        given = {name: v for name, v in checkout.environment().items() if name not in SERVERS}
        with lasting_servers(home, home / "log", checkout.programs, given) as servers:
            environment = given | servers.addresses | production()
            checkout.manage(["migrate", "--noinput", "--verbosity", "0"], environment)
            made = Stage(checkout, home, cores, environment, servers, {})
            if users is not None:
                made.populated = _populate(made, users)
            yield made


@contextmanager
def lone_stage(users: int) -> Iterator[Stage]:
    """The stage of `./space bench`, for another program. The program runs on the load's cores."""
    checkout, cores = Checkout(ROOT), Cores.of_this_machine()
    raise_file_limit()
    with (
        alone_on_this_machine(),
        stage(checkout, checkout.space / "bench", cores, users) as made,
        on(cores.load),
    ):
        yield made


def production() -> dict[str, str]:
    """The settings of a deployment, but for the proxy with HTTPS that would stand before it."""
    return {
        "SPACE_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "TOKEN_SIGNING_KEY": secrets.token_urlsafe(48),
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "PUBLIC_URL": "http://127.0.0.1",
        "HTTPS": "false",
        "LOG_LEVEL": "WARNING",
        "LIMIT_REQUESTS_PER_MINUTE": "1200",  # a few users stand for many
    }


def _populate(made: Stage, users: int) -> dict[str, Any]:
    python = str(made.checkout.venv.python)
    module = "benchmarks.bench.populate"
    done = subprocess.run(
        guarded([python, "-m", module, str(users), str(made.tokens_file)]),
        capture_output=True,
        text=True,
        env=made.environment,
        cwd=made.checkout.root,
    )
    if done.returncode != 0:
        raise Problem(f"The database could not be filled:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def redis_commands(url: str) -> int:
    """Commands that the server has done so far, without our own questions."""
    import redis

    parts = urlsplit(url)
    with redis.Redis(
        host=parts.hostname or "", port=parts.port or 0, password=parts.password
    ) as client:
        stats: dict[str, Any] = client.info("commandstats")
    ours = {"cmdstat_info", "cmdstat_auth", "cmdstat_hello", "cmdstat_client|setinfo"}
    return sum(value["calls"] for name, value in stats.items() if name not in ours)
