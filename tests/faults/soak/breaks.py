"""The faults of a soak. Each is a context manager: it breaks something, and heals it at the end.

What it breaks is drawn from `dice`, so that a seed gives the same faults again.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass

import psycopg
import redis.asyncio

from local.part import Part
from tests.faults.soak.processes import Kept, World
from tests.faults.soak.proxies import Way
from tests.faults.stack import READY_S, signal_to
from tests.support.cpu_load import busy_cores

Break = Callable[[World, random.Random], AbstractAsyncContextManager[None]]
HOGS = 2
ROWS_LOCKED = 50
TAKES_FOR_S = 5.0  # 200 connections, on a busy machine
AT_A_COMMIT = ["change_written", "committed", "ends_written"]
END_OTHERS, END_SUBSCRIBERS = "CLIENT KILL TYPE normal", "CLIENT KILL TYPE pubsub"
BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid
"""
TABLE_LOCK = "LOCK TABLE sessions_app_session IN ACCESS EXCLUSIVE MODE"
ROW_LOCKS = (
    "SELECT FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id"
    f" WHERE status = 'running' ORDER BY ends_at LIMIT {ROWS_LOCKED} FOR UPDATE"
)


@dataclass(frozen=True)
class Fault:
    """`lasts_s`: the shortest and the longest, in seconds."""

    what: str
    lasts_s: tuple[float, float]
    breaks: Break


# -- processes -----------------------------------------------------------------------------------


@asynccontextmanager
async def _killed(*processes: Kept) -> AsyncIterator[None]:
    """SIGKILL; nothing starts them again before the end."""
    for process in processes:
        process.stays_away = True
        if process.part.is_alive():
            signal_to(process.part, signal.SIGKILL)
    try:
        yield
    finally:
        for process in processes:
            process.stays_away = False


@asynccontextmanager
async def _terminated(pid: int) -> AsyncIterator[None]:
    os.kill(pid, signal.SIGTERM)
    yield


@asynccontextmanager
async def _frozen(*pids: int) -> AsyncIterator[None]:
    """SIGSTOP, and SIGCONT at the end."""
    try:
        _send(signal.SIGSTOP, pids)
        yield
    finally:
        _send(signal.SIGCONT, pids)


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    """To those processes that still live."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@asynccontextmanager
async def _armed(world: World, failpoint: str, action: str) -> AsyncIterator[None]:
    """The next process at the failpoint does the action. A process that it stopped goes on at the
    end."""
    folder = world.stack.failpoints
    for taken in folder.glob(f"{failpoint}.*"):
        taken.unlink()
    world.stack.arm(failpoint, action)
    try:
        yield
    finally:
        (folder / failpoint).unlink(missing_ok=True)
        _send(signal.SIGCONT, [int(file.suffix[1:]) for file in folder.glob(f"{failpoint}.*")])


@asynccontextmanager
async def _down(store: Part, by: signal.Signals) -> AsyncIterator[None]:
    """The store ends by this signal, and is ready again at the end."""
    signal_to(store, by)
    assert store.process is not None
    await asyncio.to_thread(store.process.wait, READY_S)
    try:
        yield
    finally:
        store.start()  # here, not in a thread: it would end with the thread
        await asyncio.to_thread(store.wait_until_ready, READY_S)


# -- the stores ----------------------------------------------------------------------------------


@asynccontextmanager
async def _valkey_executes(world: World, *commands: str) -> AsyncIterator[None]:
    async with redis.asyncio.from_url(world.ground.redis_url) as valkey:
        for command in commands:
            await valkey.execute_command(*command.split())  # type: ignore[no-untyped-call]
    yield


def _ways(store: str, act: Callable[[Way, random.Random], None]) -> Break:
    """The proxies of one process to this store, of one kind of process, or of all."""

    @asynccontextmanager
    async def breaks(world: World, dice: random.Random) -> AsyncIterator[None]:
        one = [dice.choice(world.processes)]
        found = dice.choice([one, one, world.servers, world.timekeepers, world.processes])
        ways = [getattr(process, store) for process in found]
        try:
            for way in ways:
                act(way, dice)
            yield
        finally:
            for way in ways:
                way.heal()

    return breaks


def _backends(world: World) -> list[int]:
    return [pid for (pid,) in world.stack.sql(BACKENDS)]


@asynccontextmanager
async def _a_backend_frozen(world: World, dice: random.Random) -> AsyncIterator[None]:
    async with _frozen(dice.choice(await asyncio.to_thread(_backends, world))):
        yield


@asynccontextmanager
async def _postgres_frozen(world: World, dice: random.Random) -> AsyncIterator[None]:
    backends = await asyncio.to_thread(_backends, world)
    async with _frozen(_pid(world.ground.postgres), *backends):
        yield


@asynccontextmanager
async def _backends_terminated(world: World, dice: random.Random) -> AsyncIterator[None]:
    _send(signal.SIGTERM, await asyncio.to_thread(_backends, world))
    yield


@asynccontextmanager
async def _locked(world: World, query: str) -> AsyncIterator[None]:
    """A transaction holds the locks of this statement. If it does not get them within a second
    (`lock_timeout`), nothing is broken."""
    db = await asyncio.to_thread(world.stack.db)
    try:
        with suppress(psycopg.errors.LockNotAvailable):
            await asyncio.to_thread(_lock, db, query)
        yield
    finally:
        db.close()  # undoes it


def _lock(db: psycopg.Connection, query: str) -> None:
    db.execute("SET lock_timeout = '1s'")
    db.execute("BEGIN")
    db.execute(query)


@asynccontextmanager
async def _connections_taken(world: World, dice: random.Random) -> AsyncIterator[None]:
    taken: list[psycopg.Connection] = []
    try:
        await asyncio.to_thread(_take_all, world, taken)
        yield
    finally:
        for connection in taken:
            connection.close()


def _take_all(world: World, taken: list[psycopg.Connection]) -> None:
    over = time.monotonic() + TAKES_FOR_S
    with suppress(psycopg.OperationalError):  # "too many clients already": that is all of them
        while time.monotonic() < over:
            taken.append(world.stack.db())


# -- clients and the machine ---------------------------------------------------------------------


@asynccontextmanager
async def _clients_cut(world: World, dice: random.Random) -> AsyncIterator[None]:
    assert world.people is not None
    for device in world.people.here:
        assert device._socket is not None
        device._socket.transport.abort()
    yield


@asynccontextmanager
async def _cpu_taken(world: World, dice: random.Random) -> AsyncIterator[None]:
    with busy_cores(HOGS):
        yield


def _pid(store: Part) -> int:
    assert store.pid is not None
    return store.pid


# -- all of them ---------------------------------------------------------------------------------

# How long it lasts at least and at most, in seconds, and what breaks it.
_FAULTS: dict[str, tuple[tuple[float, float], Break]] = {
    "a server is killed": ((0.5, 6), lambda w, d: _killed(d.choice(w.servers))),
    "both servers are killed": ((0.5, 3), lambda w, d: _killed(*w.servers)),
    "a server is told to stop, as by a deploy": (
        (1, 6),
        lambda w, d: _terminated(d.choice(w.servers).pid),
    ),
    "a server is stopped (SIGSTOP)": ((1, 9), lambda w, d: _frozen(d.choice(w.servers).pid)),
    "a timekeeper is killed": ((0.5, 6), lambda w, d: _killed(d.choice(w.timekeepers))),
    "both timekeepers are killed": ((0.5, 5), lambda w, d: _killed(*w.timekeepers)),
    "a timekeeper is told to stop": ((1, 6), lambda w, d: _terminated(d.choice(w.timekeepers).pid)),
    "a timekeeper is stopped (SIGSTOP)": (
        (1, 9),
        lambda w, d: _frozen(d.choice(w.timekeepers).pid),
    ),
    "a process dies before or after a commit": (
        (1, 4),
        lambda w, d: _armed(w, d.choice(AT_A_COMMIT), "crash"),
    ),
    "a timekeeper is stopped inside its transaction": (
        (1, 8),
        lambda w, d: _armed(w, "ends_written", "stop"),
    ),
    "a handler holds the event loop of a server": (
        (1, 4),
        lambda w, d: _armed(w, "frame", f"sleep {d.uniform(1, 4):.1f}"),
    ),
    "Valkey is killed and started again": (
        (0.2, 4),
        lambda w, d: _down(w.ground.valkey, signal.SIGKILL),
    ),
    "Valkey is stopped (SIGSTOP)": ((2, 9), lambda w, d: _frozen(_pid(w.ground.valkey))),
    "Valkey forgets all (FLUSHALL)": ((1, 1), lambda w, d: _valkey_executes(w, "FLUSHALL")),
    "Valkey ends its subscribers": ((1, 2), lambda w, d: _valkey_executes(w, END_SUBSCRIBERS)),
    "Valkey ends all connections": (
        (1, 2),
        lambda w, d: _valkey_executes(w, END_OTHERS, END_SUBSCRIBERS),
    ),
    "nothing gets through to Valkey, and nobody is told": (
        (2, 9),
        _ways("redis", lambda way, d: way.blackhole()),
    ),
    "nothing comes back from Valkey": ((2, 9), _ways("redis", lambda way, d: way.mute())),
    "Valkey refuses connections": ((1, 9), _ways("redis", lambda way, d: way.refuse())),
    "the way to Valkey is slow": (
        (2, 9),
        _ways("redis", lambda way, d: way.delay(d.uniform(0.1, 3))),
    ),
    "PostgreSQL is ended at once and started again": (
        (0.2, 4),
        lambda w, d: _down(w.ground.postgres, signal.SIGQUIT),
    ),
    "a backend of PostgreSQL is stopped (SIGSTOP)": ((2, 9), _a_backend_frozen),
    "all of PostgreSQL is stopped (SIGSTOP)": ((1, 8), _postgres_frozen),
    "PostgreSQL ends all connections": ((0.5, 1), _backends_terminated),
    "another transaction holds the table of sessions": (
        (1, 6),
        lambda w, d: _locked(w, TABLE_LOCK),
    ),
    "another transaction holds rows of sessions and users": (
        (1, 9),
        lambda w, d: _locked(w, ROW_LOCKS),
    ),
    "connections of PostgreSQL are taken, until there is none": ((1, 4), _connections_taken),
    "connections to PostgreSQL break": (
        (1, 5),
        _ways("database", lambda way, d: d.choice([way.cut, way.reset, way.refuse])()),
    ),
    "nothing gets through to PostgreSQL, and nobody is told": (
        (2, 9),
        _ways("database", lambda way, d: way.blackhole()),
    ),
    "nothing comes back from PostgreSQL": ((1, 6), _ways("database", lambda way, d: way.mute())),
    "the way to PostgreSQL is slow": (
        (2, 9),
        _ways("database", lambda way, d: way.delay(d.uniform(0.02, 0.3))),
    ),
    "all clients lose their connection": ((0.5, 0.5), _clients_cut),
    f"{HOGS} programs take all the CPU they get": ((2, 6), _cpu_taken),
}
ALL = [Fault(what, *row) for what, row in _FAULTS.items()]
