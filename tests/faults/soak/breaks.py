"""All that a soak breaks. Each is a context manager: broken within, healed at the end.

What it breaks is drawn from `dice`, so that a seed gives the same faults again.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
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
BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid
"""


@dataclass(frozen=True)
class Fault:
    """`lasts_s`: the shortest and the longest, in seconds."""

    what: str
    lasts_s: tuple[float, float]
    breaks: Break


ALL: list[Fault] = []


def fault(
    what: str, shortest_s: float, longest_s: float
) -> Callable[[Callable[[World, random.Random], AsyncIterator[None]]], Break]:
    """Puts it on the list."""

    def listed(made: Callable[[World, random.Random], AsyncIterator[None]]) -> Break:
        breaks = asynccontextmanager(made)
        ALL.append(Fault(what, (shortest_s, longest_s), breaks))
        return breaks

    return listed


# -- processes -----------------------------------------------------------------------------------


@fault("a server is killed", 0.5, 6)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _killed(dice.choice(world.servers)):
        yield


@fault("both servers are killed", 0.5, 3)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _killed(*world.servers):
        yield


@fault("a server is told to stop, as by a deploy", 1, 6)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    os.kill(dice.choice(world.servers).pid, signal.SIGTERM)
    yield


@fault("a server is stopped (SIGSTOP)", 1, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _frozen([dice.choice(world.servers).pid]):
        yield


@fault("a timekeeper is killed", 0.5, 6)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _killed(dice.choice(world.timekeepers)):
        yield


@fault("both timekeepers are killed", 0.5, 5)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _killed(*world.timekeepers):
        yield


@fault("a timekeeper is told to stop", 1, 6)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    os.kill(dice.choice(world.timekeepers).pid, signal.SIGTERM)
    yield


@fault("a timekeeper is stopped (SIGSTOP)", 1, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _frozen([dice.choice(world.timekeepers).pid]):
        yield


@fault("a process dies before or after a commit", 1, 4)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _armed(world, dice.choice(["change_written", "committed", "ends_written"]), "crash"):
        yield


@fault("a timekeeper is stopped inside its transaction", 1, 8)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _armed(world, "ends_written", "stop"):
        yield


@fault("a handler holds the event loop of a server", 1, 4)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _armed(world, "frame", f"sleep {dice.uniform(1, 4):.1f}"):
        yield


# -- Valkey --------------------------------------------------------------------------------------


@fault("Valkey is killed and started again", 0.2, 4)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    async with _down(world.ground.valkey, signal.SIGKILL):
        yield


@fault("Valkey is stopped (SIGSTOP)", 2, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    assert world.ground.valkey.pid is not None
    with _frozen([world.ground.valkey.pid]):
        yield


@fault("Valkey forgets all (FLUSHALL)", 1, 1)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    await _said_to_valkey(world, "FLUSHALL")
    yield


@fault("Valkey ends its subscribers", 1, 2)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    await _said_to_valkey(world, "CLIENT", "KILL", "TYPE", "pubsub")
    yield


@fault("Valkey ends all connections", 1, 2)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    for kind in ("normal", "pubsub"):
        await _said_to_valkey(world, "CLIENT", "KILL", "TYPE", kind)
    yield


@fault("nothing gets through to Valkey, and nobody is told", 2, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _healed(_some(world, dice, "redis")) as ways:
        for way in ways:
            way.blackhole()
        yield


@fault("nothing comes back from Valkey", 2, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _healed(_some(world, dice, "redis")) as ways:
        for way in ways:
            way.mute()
        yield


@fault("Valkey refuses connections", 1, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _healed(_some(world, dice, "redis")) as ways:
        for way in ways:
            way.refuse()
        yield


@fault("the way to Valkey is slow", 2, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _healed(_some(world, dice, "redis")) as ways:
        for way in ways:
            way.delay(dice.uniform(0.1, 3))
        yield


# -- PostgreSQL ----------------------------------------------------------------------------------


@fault("PostgreSQL is ended at once and started again", 0.2, 4)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    async with _down(world.ground.postgres, signal.SIGQUIT):
        yield


@fault("a backend of PostgreSQL is stopped (SIGSTOP)", 2, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _frozen([dice.choice(await asyncio.to_thread(_backends, world))]):
        yield


@fault("all of PostgreSQL is stopped (SIGSTOP)", 1, 8)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    assert world.ground.postgres.pid is not None
    backends = await asyncio.to_thread(_backends, world)
    with _frozen([world.ground.postgres.pid, *backends]):
        yield


@fault("PostgreSQL ends all connections", 0.5, 1)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    for pid in await asyncio.to_thread(_backends, world):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    yield


@fault("another transaction holds the table of sessions", 1, 6)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    async with _locked(world, "LOCK TABLE sessions_app_session IN ACCESS EXCLUSIVE MODE"):
        yield


@fault("another transaction holds rows of sessions and users", 1, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    rows = (
        "SELECT FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id"
        f" WHERE status = 'running' ORDER BY ends_at LIMIT {ROWS_LOCKED} FOR UPDATE"
    )
    async with _locked(world, rows):
        yield


@fault("connections of PostgreSQL are taken, until there is none", 1, 4)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    taken: list[psycopg.Connection] = []
    try:
        await asyncio.to_thread(_take_all, world, taken)
        yield
    finally:
        for connection in taken:
            connection.close()


@fault("connections to PostgreSQL break", 1, 5)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _healed(_some(world, dice, "database")) as ways:
        for way in ways:
            dice.choice([way.cut, way.reset, way.refuse])()
        yield


@fault("nothing gets through to PostgreSQL, and nobody is told", 2, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _healed(_some(world, dice, "database")) as ways:
        for way in ways:
            way.blackhole()
        yield


@fault("nothing comes back from PostgreSQL", 1, 6)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _healed(_some(world, dice, "database")) as ways:
        for way in ways:
            way.mute()
        yield


@fault("the way to PostgreSQL is slow", 2, 9)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with _healed(_some(world, dice, "database")) as ways:
        for way in ways:
            way.delay(dice.uniform(0.02, 0.3))
        yield


# -- clients and the machine ---------------------------------------------------------------------


@fault("all clients lose their connection", 0.5, 0.5)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    assert world.people is not None
    for device in world.people.here:
        assert device._socket is not None
        device._socket.transport.abort()
    yield


@fault(f"{HOGS} programs take all the CPU they get", 2, 6)
async def _(world: World, dice: random.Random) -> AsyncIterator[None]:
    with busy_cores(HOGS):
        yield


# -- how -----------------------------------------------------------------------------------------


@contextmanager
def _killed(*processes: Kept) -> Iterator[None]:
    for process in processes:
        process.stays_away = True
        if process.part.is_alive():
            signal_to(process.part, signal.SIGKILL)
    try:
        yield
    finally:
        for process in processes:
            process.stays_away = False


@contextmanager
def _frozen(pids: list[int]) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end, of those that live."""
    try:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextmanager
def _armed(world: World, failpoint: str, action: str) -> Iterator[None]:
    """Whoever comes by does it. Who was stopped goes on at the end."""
    folder = world.stack.failpoints
    for taken in folder.glob(f"{failpoint}.*"):
        taken.unlink()
    world.stack.arm(failpoint, action)
    try:
        yield
    finally:
        (folder / failpoint).unlink(missing_ok=True)
        for taken in folder.glob(f"{failpoint}.*"):
            with suppress(ProcessLookupError):
                os.kill(int(taken.suffix[1:]), signal.SIGCONT)


@asynccontextmanager
async def _down(store: Part, by: signal.Signals) -> AsyncIterator[None]:
    """Gone at once, and ready again at the end."""
    signal_to(store, by)
    assert store.process is not None
    await asyncio.to_thread(store.process.wait, READY_S)
    try:
        yield
    finally:
        store.start()  # here, not in a thread: it would end with the thread
        await asyncio.to_thread(store.wait_until_ready, READY_S)


async def _said_to_valkey(world: World, *words: str) -> None:
    async with redis.asyncio.from_url(world.ground.redis_url) as valkey:
        await valkey.execute_command(*words)  # type: ignore[no-untyped-call]


def _some(world: World, dice: random.Random, store: str) -> list[Way]:
    """The ways of one process to this store, of one kind of them, or of all."""
    one = [dice.choice(world.processes)]
    found = dice.choice([one, one, world.servers, world.timekeepers, world.processes])
    return [getattr(process, store) for process in found]


@contextmanager
def _healed(ways: list[Way]) -> Iterator[list[Way]]:
    try:
        yield ways
    finally:
        for way in ways:
            way.heal()


def _backends(world: World) -> list[int]:
    return [pid for (pid,) in world.stack.sql(BACKENDS)]


@asynccontextmanager
async def _locked(world: World, query: str) -> AsyncIterator[None]:
    """This statement's locks are held. `lock_timeout`: who cannot have them breaks nothing."""
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


def _take_all(world: World, taken: list[psycopg.Connection]) -> None:
    over = time.monotonic() + TAKES_FOR_S
    with suppress(psycopg.OperationalError):  # "too many clients already": that is all of them
        while time.monotonic() < over:
            taken.append(world.stack.db())
