"""Users with devices that reconnect by themselves and check every frame that they receive.

The devices are those of `./space load` (`benchmarks/load_generator`): each replays its frames into
what it would show, and holds every frame to the rules of `rules.py`. Here they reconnect to any of
the servers, as behind a load balancer.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import psycopg
from websockets.asyncio.client import ClientConnection

from accounts.auth.tokens import new_jti, pair_of
from accounts.models import Login
from benchmarks.load_generator.accounts import Account
from benchmarks.load_generator.device import Device
from benchmarks.load_generator.device_check import DeviceCheck
from benchmarks.load_generator.lag import Lag, now_ms
from benchmarks.load_generator.log_check import check_devices
from benchmarks.load_generator.people import Person
from benchmarks.load_generator.rest import Rest
from benchmarks.load_generator.rules import RULES, Findings
from benchmarks.load_generator.tally import Tally
from benchmarks.load_generator.user_check import UserCheck
from tests.faults.stack import Stack, new_prefix
from tests.support.servers import Server

PLANNED_MS = 25 * 60_000
COME_WITHIN_S = 30.0
AT_ONCE = 8  # requests of the check
GONE_WITHIN_S = 2.0
HERE_AGAIN_WITHIN_S = 45.0  # a client may wait for 30 s after many attempts in vain

USERS = """
    INSERT INTO accounts_user (username, username_key, email, email_key, password, revision,
        time_zone, day_start, reminders, is_active, is_staff, is_superuser, first_name, last_name,
        date_joined)
    SELECT name, name, name || '@example.org', name || '@example.org', '!', 0, 'Europe/Berlin', 240,
        '[]', true, false, false, '', '', now()
    FROM (SELECT %(prefix)s || '-' || n AS name FROM generate_series(1, %(count)s) n) names
    RETURNING id, username
"""
_LOGINS = """
    INSERT INTO accounts_login (user_id, device, refresh_jti, previous_jti, first_seen, last_seen,
        refreshed_at)
    SELECT id, 'Laptop', jti, '', date_trunc('second', now()), now(), date_trunc('second', now())
    FROM unnest(%s::bigint[], %s::text[]) AS u (id, jti) RETURNING id, user_id, refreshed_at
"""
_RUNNING = """
    WITH made AS (
        INSERT INTO sessions_app_session (user_id, title, duration, image, sound, created_at,
            updated_at, version, task_minutes, status, planned_ms, started_at, ends_at)
        SELECT id, 'Load', 25, '', '', at, at, 2, 0, 'running', %(planned)s, at,
            at + %(planned)s * interval '1 millisecond'
        FROM (SELECT id, date_trunc('milliseconds', now() + (%(first_s)s
            + (%(last_s)s - %(first_s)s) * (row_number() OVER (ORDER BY id) - 1)
                / greatest(1, count(*) OVER () - 1))
            * interval '1 second') - %(planned)s * interval '1 millisecond' AS at
            FROM accounts_user WHERE id = ANY(%(users)s)) due
        RETURNING id, user_id, started_at, ends_at
    ), logged AS (
        INSERT INTO sessions_app_sessionevent (user_id, revision, session_id, version, kind, at,
            device, data)
        SELECT user_id, n, id, n, CASE n WHEN 1 THEN 'created' ELSE 'started' END, started_at,
            'Laptop', '{}' FROM made, generate_series(1, 2) n
    ), raised AS (
        UPDATE accounts_user SET revision = 2 WHERE id = ANY(%(users)s)
    )
    SELECT user_id, id, extract(epoch FROM ends_at)::float FROM made
"""


class Roving(Device):
    """A device that reconnects to another server.

    `comings` and `losses`: when it was ready, and when that ended and with which code (ms, this
    machine's clock).
    """

    def __init__(self, *given: Any, bases: Sequence[str]) -> None:
        super().__init__(*given)
        self._bases = itertools.cycle(bases)
        self.is_patient = False
        self._heard_at = now_ms()
        self.comings: list[float] = []
        self.losses: list[tuple[float, int]] = []

    async def _connection(self) -> None:
        self.base = next(self._bases)
        await super()._connection()

    async def _heard(self, text: str | bytes, began: float) -> None:
        self._heard_at = now_ms()
        await super()._heard(text, began)

    async def _came_in(self, at: float, began: float) -> None:
        self.comings.append(at)
        await super()._came_in(at, began)

    async def _lost(self, socket: ClientConnection) -> None:
        if self._was_ready and self._asleep_s is None:  # else it was the laptop that was closed
            self.losses.append((now_ms(), socket.close_code or 1006))
        await super()._lost(socket)

    def give_up_if_silent(self) -> None:
        """As the page does: after two heartbeats without a frame the connection counts as dead."""
        if self._socket is None or not self.check.is_ready or self.is_patient:
            return
        if now_ms() - self._heard_at > 2 * self.check.heartbeat_s * 1000:
            self._tally.count["silent connections given up"] += 1
            self._socket.transport.abort()


class AnyServer(Rest):
    """Requests go to one server after the other, and to the next if one does not answer."""

    def __init__(self, bases: Sequence[str], *given: Any) -> None:
        super().__init__(bases[0], *given)
        self._servers = [Rest(base, *given) for base in bases]
        self._turns = itertools.count()

    async def ask(
        self, method: str, path: str, token: str = "", key: str = "", **body: Any
    ) -> httpx.Response:
        turn = next(self._turns) % len(self._servers)
        *first, last = self._servers[turn:] + self._servers[:turn]
        for server in first:
            with suppress(httpx.TransportError):
                return await server.ask(method, path, token, key, **body)
        return await last.ask(method, path, token, key, **body)

    async def close(self) -> None:
        await asyncio.gather(super().close(), *(server.close() for server in self._servers))


class Crowd:
    """`people`, each with a session that runs, and their `devices`."""

    def __init__(self, stack: Stack, servers: Sequence[Server]) -> None:
        self.stack = stack
        self.bases = [server.base for server in servers]
        self.findings, self.tally, self.lag = Findings(), Tally(), Lag()
        self.rest = AnyServer(self.bases, self.findings, self.tally, lambda text: None)
        self.people: list[Person] = []
        self.ends_at: dict[int, float] = {}  # Unix time, by session
        self._sessions: dict[str, int] = {}  # by user name
        self.users: dict[str, int] = {}
        self._living: list[tuple[Device, asyncio.Task[None]]] = []

    @property
    def devices(self) -> list[Roving]:
        every = [device for person in self.people for device in person.devices]
        return [device for device in every if isinstance(device, Roving)]

    @property
    def here(self) -> list[Roving]:
        return [device for device in self.devices if device.is_here]

    def session_of(self, person: Person) -> int:
        return self._sessions[person.account.username]

    # -- who they are ----------------------------------------------------------------------------

    def comes(
        self,
        count: int,
        *,
        devices: int = 1,
        due_in: tuple[float, float] | None = (1_000.0, 1_200.0),
    ) -> list[Person]:
        """So many users; each one's session ends between these seconds from now, evenly spread.

        `due_in` None: without a session. They have no password: their tokens are made here.
        """
        with self.stack.db() as db:
            people = [
                self._person(name, login, devices) for name, login in self._signed_up(db, count)
            ]
            if due_in is not None:
                users = [self.users[person.account.username] for person in people]
                self._start(db, users, due_in)
        self.people += people
        return people

    def _signed_up(self, db: psycopg.Connection, count: int) -> list[tuple[str, Login]]:
        given = {"prefix": new_prefix(), "count": count}
        names = {user: str(name) for user, name in db.execute(USERS, given)}
        self.users |= {name: user for user, name in names.items()}
        keys = {user: new_jti() for user in names}
        rows = db.execute(_LOGINS, [list(keys), list(keys.values())]).fetchall()
        return [
            (
                names[user],
                Login(pk=pk, user_id=user, refresh_jti=keys[user], first_seen=at, refreshed_at=at),
            )
            for pk, user, at in rows
        ]

    def _start(self, db: psycopg.Connection, users: list[int], due_in: tuple[float, float]) -> None:
        names = {user: name for name, user in self.users.items()}
        first_s, last_s = due_in
        given = {"users": users, "planned": PLANNED_MS, "first_s": first_s, "last_s": last_s}
        for user, session, ends_at in db.execute(_RUNNING, given):
            self._sessions[names[user]] = session
            self.ends_at[session] = ends_at

    def _person(self, name: str, login: Login, devices: int) -> Person:
        pair = pair_of(login)
        account = Account(name, "", pair.access, pair.refresh)
        check = UserCheck(name, self.findings)
        person = Person(account, check, 1, self.rest, self.findings, self.tally)
        for n in range(devices):
            called = f"Device {n + 1}"
            device_check = DeviceCheck(f"{name}'s {called}", check, self.findings, self.tally)
            bases = self.bases[n % len(self.bases) :] + self.bases[: n % len(self.bases)]
            person.devices.append(
                Roving(
                    *(called, bases[0], account, device_check, self.rest, self.lag, self.tally),
                    bases=bases,
                )
            )
        return person

    # -- what they do ----------------------------------------------------------------------------

    async def connect(self, within_s: float = COME_WITHIN_S) -> None:
        """Connects all new devices, or the test fails."""
        known = {id(device) for device, _ in self._living}
        new = [device for device in self.devices if id(device) not in known]
        self._living += [
            (device, asyncio.create_task(device.live(random.uniform(0, len(new) / 200))))
            for device in new
        ]
        await self.all_here(within_s)

    async def all_here(
        self, within_s: float = HERE_AGAIN_WITHIN_S, devices: Collection[Device] = ()
    ) -> float:
        """Waits until each device is connected and ready; the seconds that took."""
        began = time.monotonic()
        while away := [device for device in devices or self.devices if not device.is_here]:
            assert time.monotonic() < began + within_s, f"{len(away)} devices are not back"
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def in_step(self, within_s: float = 15.0, devices: Collection[Device] = ()) -> float:
        """Waits until each device is connected and shows all that is committed; the seconds that
        took."""
        began = time.monotonic()
        while behind := await asyncio.to_thread(self._behind, devices or self.devices):
            assert time.monotonic() < began + within_s, (
                f"not in step: {behind[:3]} of {len(behind)}"
            )
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    def _behind(self, devices: Collection[Device]) -> list[str]:
        revisions = dict(self.stack.sql("SELECT id, revision FROM accounts_user"))
        stored = {device: revisions[self.users[device.account.username]] for device in devices}
        return [
            f"{device.check.who} at {device.check.revision} of {revision}"
            for device, revision in stored.items()
            if not device.is_here or device.check.revision != revision
        ]

    async def check(self, excused: Collection[str] = ()) -> None:
        """What each device shows, by its frames alone, is what is stored; no rule was broken.

        `excused`: rules that the fault itself breaks, such as `ended_late` without a timekeeper.
        """
        assert set(excused) <= RULES.keys()

        async def one(person: Person) -> None:
            if person.devices:
                fresh, revision = await person._in_step()
                checks = [device.check for device in person.devices]
                check_devices(fresh, revision, checks, self.findings)

        await self.each(one)
        broken = {rule for rule in self.findings.count if rule not in excused}
        assert not broken, {rule: self.findings.example[rule] for rule in broken}

    async def each(self, act: Callable[[Person], Coroutine[Any, Any, None]]) -> None:
        """Everyone does this, some at a time."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(person: Person) -> None:
            async with gate:
                await act(person)

        await asyncio.gather(*map(one, self.people))

    async def until_ended(self) -> None:
        """Waits for the deadlines of the next 90 seconds, and until nothing is due any more."""
        near = [at for at in self.ends_at.values() if at < time.time() + 90]
        await asyncio.sleep(max(0.0, max(near, default=0.0) - time.time()))
        await asyncio.to_thread(self.stack.settle)

    @asynccontextmanager
    async def acting(self, people: Sequence[Person]) -> AsyncIterator[None]:
        """These people act as in `./space load` until the end. Raises what went wrong with one."""
        tasks = [asyncio.create_task(person.acts()) for person in people]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ends:
            if isinstance(error, Exception):
                raise error

    async def give_up_the_silent(self) -> None:
        while True:
            await asyncio.sleep(1)
            for device in self.devices:
                device.give_up_if_silent()

    async def leave(self) -> None:
        """Aborts all connections: a proper close is tested elsewhere."""
        for device in self.devices:
            device._leaving = True
            if device._socket is not None:
                device._socket.transport.abort()
        tasks = [task for _, task in self._living]
        if tasks:
            await asyncio.wait(tasks, timeout=GONE_WITHIN_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.rest.close()


@asynccontextmanager
async def crowd(stack: Stack, *servers: Server) -> AsyncIterator[Crowd]:
    """Empty: see `comes` and `connect`. All devices leave at the end."""
    made = Crowd(stack, servers)
    watching = [
        asyncio.create_task(made.lag.watch()),
        asyncio.create_task(made.give_up_the_silent()),
    ]
    try:
        yield made
        failed = [task for _, task in made._living if task.done()]
        for task in failed:
            task.result()  # a fault of this program must not look like devices that are well
    finally:
        for task in watching:
            task.cancel()
        await made.leave()
