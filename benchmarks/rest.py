"""REST on one core: requests a second, and what they do to the ticks of the same process.

    python -m benchmarks.rest                    two minutes; starts servers of its own (Linux)
    python -m benchmarks.rest --json FILE        writes the rows as well

Users pause and resume a session of theirs and list their sessions, over connections that stay. The
server has one core for itself, the clients another; PostgreSQL may use both. What counts is the CPU
time of the server's processes: it says how many requests one core could take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.keep_alive import Connection, request

ROOT = Path(__file__).resolve().parents[1]
USERS = 16  # each over a connection of their own
SESSIONS = 5  # of each: what GET /sessions/ lists
WARM_UP_S = 2.0

TICKING = 1_000  # sockets, while REST is asked
PACED = 30  # requests a second: about what 10,000 people make, with five in a session of 25 minutes
# What serves REST and, where that is another process on the same core, what serves the sockets.
KINDS: dict[str, list[list[str]]] = {
    "uvicorn": [["serve"]],
    "daphne": [["serve", "--server", "daphne"]],
    "uvicorn, apart": [["serve", "--only", "rest"], ["serve", "--only", "sockets"]],
}


@dataclass
class Row:
    """What was measured of one kind of server and one kind of request."""

    kind: str
    what: str
    requests: int
    per_s: float  # as it was, with whatever else ran on the machine
    cpu_ms: float  # of the server's processes, for one request
    per_core: float  # requests a second that this CPU time allows
    p50_ms: float
    p99_ms: float
    errors: int


@dataclass
class Lateness:
    """How late ticks came meanwhile, by the clock of this machine."""

    kind: str
    what: str
    sockets: int
    ticks: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    rest_per_s: float


@dataclass
class User:
    token: str
    running: int  # the id of a session


# -- the ground ----------------------------------------------------------------------------------


@contextmanager
def database() -> Iterator[None]:
    """Servers and an empty, migrated database, in the environment of this process."""
    import sysconfig

    from local.environment import own_environment
    from local.servers import Programs, throw_away_servers

    os.environ.update(own_environment(ROOT, os.environ))
    os.environ["LIMIT_REQUESTS_PER_MINUTE"] = "1000000000"
    os.environ["SOCKETS_PER_USER"] = "10000"
    with ExitStack() as stack:
        programs = Programs.below(Path(sysconfig.get_path("purelib")))
        servers = throw_away_servers(ROOT / ".space", lambda: programs, os.environ)
        os.environ.update(stack.enter_context(servers).addresses)
        name = f"space_rest_{os.getpid()}"
        there = os.environ["DATABASE_URL"]
        _sql(there, f"CREATE DATABASE {name}")
        stack.callback(_sql, there, f"DROP DATABASE {name} WITH (FORCE)")
        os.environ["DATABASE_URL"] = there.rpartition("/")[0] + "/" + name
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
        yield


def _sql(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def users(count: int) -> list[User]:
    """Made by the services, here: signing up over HTTP would take a hash of 100 MiB for each."""
    import django

    django.setup()
    from django.conf import settings

    from accounts.auth.tokens import pair_of
    from accounts.services import logins
    from sessions_app import services
    from sessions_app.ledger import Actor

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    made = []
    for number in range(count):
        name = f"load{number}"
        login = logins.sign_up(name, f"{name}@example.org", "a long walk at dusk", device="Load")
        by = Actor(login.user_id, "Load")
        ids = [services.create(title="Load", duration=1440, by=by).id for _ in range(SESSIONS)]
        services.start(ids[0], by=by)
        made.append(User(pair_of(login).access, ids[0]))
    return made


@contextmanager
def server(
    arguments: list[str], port: int, core: int, log: IO[bytes] | None = None
) -> Iterator[int]:
    """The pid of a server that answers, on a core of its own. Its log goes to `log`."""
    command = [sys.executable, "manage.py", *arguments, "--port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=log or subprocess.DEVNULL,
        stderr=log,
        preexec_fn=lambda: _pin(core),
    )
    try:
        asyncio.run(_answers(port, process))
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _pin(core: int) -> None:
    os.sched_setaffinity(0, {core})


async def _answers(port: int, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(30):
        while process.poll() is None:
            try:
                connection = await Connection.open("127.0.0.1", port)
                status = await connection.ask(request("GET", "/readyz", port, ""))
                connection.close()
            except OSError:
                status = 0
            if status == 200:
                return
            await asyncio.sleep(0.1)
    raise SystemExit("The server did not start.")


def cpu_s(pid: int) -> float:
    """CPU seconds of the process and of all below it, so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_s(int(child)) for child in children)


# -- the load ------------------------------------------------------------------------------------


def reading(user: User, port: int) -> list[bytes]:
    return [request("GET", "/sessions/", port, user.token)]


def changing(user: User, port: int) -> list[bytes]:
    actions = ("pause", "resume")
    path = f"/sessions/{user.running}"
    return [request("POST", f"{path}/{action}/", port, user.token) for action in actions]


WHATS: dict[str, Any] = {"GET /sessions/": reading, "POST pause, resume": changing}


async def load(requests: list[list[bytes]], port: int, seconds: float) -> tuple[list[float], int]:
    """Milliseconds of each request, and how many were refused."""
    taken: list[float] = []
    errors = 0
    until = time.perf_counter() + seconds

    async def one(connection: Connection, mine: list[bytes]) -> None:
        nonlocal errors
        while time.perf_counter() < until:
            for text in mine:
                began = time.perf_counter()
                status = await connection.ask(text)
                taken.append((time.perf_counter() - began) * 1000)
                errors += status != 200

    opened = [await Connection.open("127.0.0.1", port) for _ in requests]
    await asyncio.gather(*(one(c, mine) for c, mine in zip(opened, requests, strict=True)))
    for connection in opened:
        connection.close()
    return taken, errors


def measure(kind: str, what: str, made: list[User], port: int, pid: int, seconds: float) -> Row:
    texts = [WHATS[what](user, port) for user in made]
    asyncio.run(load(texts, port, WARM_UP_S))
    cpu, began = cpu_s(pid), time.perf_counter()
    taken, errors = asyncio.run(load(texts, port, seconds))
    spent, lasted = cpu_s(pid) - cpu, time.perf_counter() - began
    taken.sort()
    cpu_ms = spent * 1000 / len(taken)
    return Row(
        kind=kind,
        what=what,
        requests=len(taken),
        per_s=round(len(taken) / lasted, 1),
        cpu_ms=round(cpu_ms, 3),
        per_core=round(1000 / cpu_ms, 1),
        p50_ms=round(taken[len(taken) // 2], 1),
        p99_ms=round(taken[len(taken) * 99 // 100], 1),
        errors=errors,
    )


async def paced(requests: list[list[bytes]], port: int, seconds: float) -> tuple[list[float], int]:
    """As `load`, but a request comes when its time has come, unless all connections are busy."""
    opened = [await Connection.open("127.0.0.1", port) for _ in requests]
    idle = list(zip(opened, requests, strict=True))
    taken: list[float] = []
    errors = 0

    async def one(connection: Connection, mine: list[bytes]) -> None:
        nonlocal errors
        began = time.perf_counter()
        errors += await connection.ask(mine[0]) != 200
        taken.append((time.perf_counter() - began) * 1000)
        idle.append((connection, mine))

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(PACED * seconds)):
            await asyncio.sleep(max(0.0, began + number / PACED - time.perf_counter()))
            if idle:
                tasks.create_task(one(*idle.pop(0)))
    for connection in opened:
        connection.close()
    return taken, errors


def lateness(
    kind: str, made: list[User], rest: int, sockets: int, seconds: float
) -> Iterator[Lateness]:
    """While REST is not asked, at the usual pace, and as fast as it answers."""
    asking, watching = made[:USERS], made[USERS:]
    tokens = [watching[number % len(watching)].token for number in range(TICKING)]
    texts = [reading(user, rest) for user in asking]
    for what, ask in (("no requests", None), (f"{PACED} requests a second", paced), ("all", load)):
        listener = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.tick_listener", str(sockets), str(seconds)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert listener.stdin
        assert listener.stdout
        listener.stdin.write("\n".join(tokens))
        listener.stdin.close()
        if listener.stdout.readline().strip() != "listening":
            raise SystemExit("The sockets were not let in.")
        answered = len(asyncio.run(ask(texts, rest, seconds + 1))[0]) if ask else 0
        found = json.loads(listener.stdout.read())
        listener.wait()
        yield Lateness(kind=kind, what=what, rest_per_s=round(answered / (seconds + 1), 1), **found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=5, help="for each row")
    parser.add_argument("--port", type=int, default=8460)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    rows = []

    def note(row: Row | Lateness) -> None:
        rows.append(asdict(row))
        print(json.dumps(rows[-1]), flush=True)

    with database():
        made = users(2 * USERS)
        _pin(cores[-1])
        for kind in given.kinds:
            with ExitStack() as stack:
                ports = [given.port + number for number, _ in enumerate(KINDS[kind])]
                pids = [
                    stack.enter_context(server(arguments, port, cores[0]))
                    for arguments, port in zip(KINDS[kind], ports, strict=True)
                ]
                for what in WHATS:
                    note(measure(kind, what, made[:USERS], ports[0], pids[0], given.seconds))
                for row in lateness(kind, made, ports[0], ports[-1], given.seconds):
                    note(row)
    if given.json:
        given.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
