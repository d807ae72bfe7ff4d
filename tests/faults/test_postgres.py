"""PostgreSQL fails. Promises 1 to 4 and 6.

Requests meanwhile get 503 with Retry-After, acknowledged changes are stored, and no device shows an
end that is not stored.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
import pytest

from tests.faults.measured import Measured, quantile
from tests.faults.scene import ANSWERED_WITHIN_S, ends_after, scene, serving
from tests.faults.stack import READY_S, Stack, comes_again, signal_to, stopped

pytestmark = pytest.mark.timeout(300)
LATE = ("ended_late", "not_ended", "unanswered")  # nobody can end, and nobody can read


# -- faults --------------------------------------------------------------------------------------


def stop_at_once(space: Stack) -> None:
    """As `pg_ctl stop -m immediate`: as after a crash, it reads its log again when it starts."""
    signal_to(space.ground.postgres, signal.SIGQUIT)
    assert space.ground.postgres.process is not None
    space.ground.postgres.process.wait(READY_S)


@asynccontextmanager
async def down(space: Stack) -> AsyncIterator[None]:
    await asyncio.to_thread(stop_at_once, space)
    yield
    await comes_again(space.ground.postgres)


def backend(space: Stack, state: str, application: str = "%") -> int:
    """The pid of one that is in this state. Waits for one."""
    query = """SELECT pid FROM pg_stat_activity WHERE datname = %s AND state = %s
        AND application_name LIKE %s AND pid <> pg_backend_pid() ORDER BY state_change DESC"""
    for _ in range(100):
        for (pid,) in space.sql(query, space.database, state, application):
            return int(pid)
    raise AssertionError(f"no backend is {state}")


def idle_backend(space: Stack) -> int:
    """One that waits in the pool of the first server."""
    return backend(space, "idle", "first")


def backend_in_a_change(space: Stack) -> int:
    """One that has written a change, holds its user's row, and has not committed."""
    space.arm("change_written", "sleep 1")
    space.pid_at("change_written")
    return backend(space, "idle in transaction")


FREEZES = {
    "that waits in a server's pool": idle_backend,
    "that has written a change and not committed it": backend_in_a_change,
}


class Swarm:
    """Takes every connection that PostgreSQL has to give, also those that others give back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._taken: list[psycopg.Connection] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._take_all, daemon=True)
        self.has_all = threading.Event()
        self.refused = 0

    def _take_all(self) -> None:
        while not self._stopping.is_set():
            try:
                self._taken.append(psycopg.connect(self._url, autocommit=True, connect_timeout=5))
            except psycopg.OperationalError:  # too many clients
                self.refused += 1
                self.has_all.set()
                self._send_others_away()
                self._stopping.wait(0.02)

    def _send_others_away(self) -> None:
        """Who has a connection from before would go on with it."""
        self._taken[0].execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND application_name <> 'swarm'"
        )

    def __enter__(self) -> Swarm:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(30)
        for connection in self._taken:
            connection.close()


@contextmanager
def locked(space: Stack, query: str, *given: int) -> Iterator[None]:
    """The rows of this query are held by a transaction that does nothing more."""
    with space.db() as db, db.transaction():
        db.execute(query, given)
        yield


# -- rows ----------------------------------------------------------------------------------------


async def outage(space: Stack, measured: Measured, *, lasts_s: float, starts: float = 2.0) -> None:
    """PostgreSQL stops at once, is away for so long, and comes again."""
    servers = serving(space, {}, {})
    async with scene(space, *servers, ends_in=(starts, starts + 6 + lasts_s)) as it:
        async with it.acting(), down(space):
            gone_at = time.time()
            await asyncio.sleep(lasts_s)
            shown = it.ends_shown_between(gone_at + 0.5, time.time())
        measured("ends shown while nobody could store them", shown, promised=0)
        await it.heals(measured)
        it.knocked(measured)
        await ends_after(it, measured, since=gone_at)
        await it.people.check(excused=LATE)


@pytest.mark.fault("PostgreSQL is restarted (immediate)", "1, 2, 3, 4")
async def test_postgres_is_restarted(space: Stack, measured: Measured) -> None:
    await outage(space, measured, lasts_s=0)


@pytest.mark.slow
@pytest.mark.fault("PostgreSQL is down for 30 s", "1, 2, 3, 4")
async def test_postgres_is_down_for_half_a_minute(space: Stack, measured: Measured) -> None:
    await outage(space, measured, lasts_s=30)


@pytest.mark.slow
@pytest.mark.parametrize("which", FREEZES)
@pytest.mark.fault("one backend is frozen (SIGSTOP) for 15 s", "2, 3, 4, 7")
async def test_one_backend_is_frozen(space: Stack, measured: Measured, which: str) -> None:
    measured.fault = f"one backend {which} is frozen (SIGSTOP) for 15 s"
    servers = serving(space, {"PGAPPNAME": "first"}, {"PGAPPNAME": "second"})
    async with scene(space, *servers, ends_in=(3, 20)) as it:
        async with it.acting():
            with stopped(await asyncio.to_thread(FREEZES[which], space)):
                await asyncio.sleep(15)
        await it.heals(measured)
        it.knocked(measured)
        await it.ends(measured, p99_ms=100)
        await it.people.check()


@pytest.mark.slow
@pytest.mark.fault("a partition of 20 s between PostgreSQL and one of two servers", "2, 3, 4")
async def test_one_server_is_cut_off(space: Stack, measured: Measured) -> None:
    """Nothing arrives, and nobody is told. Its devices hear of the others' changes by Redis."""
    proxy, behind = space.behind("DATABASE_URL")
    servers = serving(space, behind, {})
    async with scene(space, *servers, ends_in=(3, 24)) as it:
        async with it.acting():
            proxy.blackhole()
            await asyncio.sleep(20)
            proxy.heal()
        await it.heals(measured)
        it.knocked(measured)
        await it.ends(measured, p99_ms=100)
        await it.people.check(excused=["unanswered"])


@pytest.mark.slow
@pytest.mark.fault("all of PostgreSQL's connections are taken for 8 s", "1, 2, 3, 4")
async def test_too_many_clients(space: Stack, measured: Measured) -> None:
    servers = serving(space, {}, {})
    url = f"{space.ground.url_of(space.database)}?application_name=swarm"
    async with scene(space, *servers, ends_in=(3, 25)) as it:
        async with it.acting():
            with Swarm(url) as swarm:
                assert await asyncio.to_thread(swarm.has_all.wait, READY_S)
                gone_at = time.time()
                await asyncio.sleep(8)
        measured("times that not even one more was given", swarm.refused)
        await it.heals(measured)
        it.knocked(measured)
        await ends_after(it, measured, since=gone_at)
        await it.people.check(excused=LATE)


@pytest.mark.fault(
    "a transaction holds one user's row, and another's session, for some s", "1, 3, 7"
)
async def test_rows_are_locked(space: Stack, measured: Measured) -> None:
    """Who is held is told to come again, and everybody else goes on: also the timekeeper."""
    servers = serving(space, {}, {})
    async with scene(space, *servers, ends_in=(4, 7)) as it:
        # As many devices as there are threads for sockets, all on the first server.
        held = it.people.comes(2, devices=16)
        [due] = it.people.comes(1, devices=2, due_in=(5, 5))
        await it.people.connect()
        async with it.acting():
            await asyncio.sleep(1)
            before = list(it.command_s)
            it.command_s.clear()
            user, session = it.people.users[held[0].account.username], it.people.session_of(held[1])
            last = it.people.session_of(due)
            with (
                locked(space, "SELECT FROM accounts_user WHERE id = %s FOR UPDATE", user),
                locked(space, "SELECT FROM sessions_app_session WHERE id = %s FOR UPDATE", session),
                locked(space, "SELECT FROM sessions_app_session WHERE id = %s FOR UPDATE", last),
            ):
                insisting = [
                    asyncio.create_task(it.insist(person, device))
                    for person in held
                    for device in person.devices[::2]
                ]
                await asyncio.sleep(it.people.ends_at[last] + 1 - time.time())
                assert not any(task.done() for task in insisting)
            released_at = time.time()
        meanwhile = list(it.command_s)
        slowest_held = max(await asyncio.gather(*insisting))
        measured("slowest answer to who is held", slowest_held, "s", promised=ANSWERED_WITHIN_S)
        measured("their commands are done after the release", time.time() - released_at, "s")
        usual, now = quantile(before, 0.9) * 1000, quantile(meanwhile, 0.9) * 1000
        measured("commands of the others, p90 before", usual, "ms")
        measured("how much later they are answered meanwhile", now - usual, "ms", promised=100)
        await it.heals(measured)
        await it.ended()
        rows = space.sql(
            "SELECT session_id, extract(epoch FROM at)::float FROM sessions_app_sessionevent"
            " WHERE kind = 'completed'"
        )
        ended = dict(rows)
        late = ended.pop(last) - released_at
        measured(
            "the session that was held ended after the release", late * 1000, "ms", promised=250
        )
        others = [at - it.people.ends_at[session] for session, at in ended.items()]
        p99 = quantile(others, 0.99) * 1000
        measured("ends of the others after their deadline, p99", p99, "ms", promised=100)
        await it.people.check()
