"""Users with devices that act while a test breaks something, and what they measured.

steady     watch sessions that do not change: their ticks must go on
changing   extend their sessions by one device; the device on the other server must show it
asking     do the same over REST, at each server
ending     watch sessions that end at their deadline
knocking   open new sockets

A device repeats a command with the same key until it is acknowledged: it must have happened once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from benchmarks.load_generator.device import Device
from benchmarks.load_generator.people import Person
from tests.faults.crowd import Crowd, crowd
from tests.faults.measured import Measured, quantile
from tests.faults.stack import Stack
from tests.support.servers import Server

LOOK_EVERY_S = 0.025
CHANGE_EVERY_S = 0.75  # the limit of a device is two frames a second in the long run
ASK_EVERY_S = 0.3
KNOCK_EVERY_S = 0.5
AGAIN_S = 0.5  # after a refusal
ANSWERED_WITHIN_S = 10.0  # promised of every request
IN_STEP_S = 6.0  # promised after any fault
NORMALLY_S = 0.25  # promised while nothing is broken
NOTHING_LEFT_OUT_S = 2.0  # between two ticks: one came late, none was left out
GIVE_UP_S = 60.0
LATER = {"unavailable", "idempotency_in_progress"}  # codes after which a command is repeated


@dataclass(eq=False)
class Change:
    """An acknowledged change. `shown_after`: seconds until the other devices showed it."""

    session: int
    version: int
    acked_at: float
    by: Device
    shown_after: float | None = None


@dataclass
class Answers:
    """Answers to REST requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    not_allowed: list[str] = field(default_factory=list)  # neither 2xx, 4xx nor a polite 503
    slowest_s: float = 0.0

    def came(self, answer: httpx.Response, seconds: float) -> None:
        status = answer.status_code
        self.statuses[status] += 1
        self.slowest_s = max(self.slowest_s, seconds)
        polite = status == 503 and "Retry-After" in answer.headers
        if status >= 500 and not polite:
            self.not_allowed.append(f"{status} {answer.headers} {answer.text[:200]}")


class Scene:
    """See the module. All devices are connected; no user acts before `acting`."""

    def __init__(self, people: Crowd) -> None:
        self.people = people
        self.steady: list[Person] = []
        self.changing: list[Person] = []
        self.asking: list[Person] = []
        self.ending: list[Person] = []
        self.knocking: list[Person] = []
        self.changes: list[Change] = []
        self.answers = Answers()
        self.refusals: Counter[str] = Counter()  # of commands through sockets
        self.command_s: list[float] = []  # the slowest answer to each change
        self.knocks: Counter[int] = Counter()  # closes of new sockets; 0: it was let in
        self.slowest_knock_s = 0.0
        self.longest_pause_s = 0.0  # between two ticks of a device
        self.ends_shown: dict[tuple[Device, int], float] = {}  # Unix time
        self.healed_at = 0.0
        self._ticked: dict[Device, tuple[int, float]] = {}  # seconds left, and when the tick came
        self._said: Counter[int] = Counter()  # how often each session was extended, acknowledged
        self._numbers = itertools.count()
        self._stopping = False
        self._http = httpx.AsyncClient(timeout=GIVE_UP_S)
        self._tasks: list[asyncio.Task[None]] = []

    # -- watching --------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Notes what the devices show, until it is cancelled."""
        while True:
            now = time.monotonic()
            for person in self.steady:
                session = self.people.session_of(person)
                for device in person.devices:
                    self._note_tick(device, session, now)
            for person in self.ending:
                for device in person.devices:
                    self._note_end(device, self.people.session_of(person))
            for change in self.changes:
                if change.shown_after is None and self._is_shown(change):
                    change.shown_after = now - change.acked_at
            await asyncio.sleep(LOOK_EVERY_S)

    def _note_tick(self, device: Device, session: int, now: float) -> None:
        """A pause that still lasts counts, and so does one while the device is disconnected."""
        _, left = device.check.ticks._last.get(session, (0, -1))
        before, at = self._ticked.setdefault(device, (left, now))
        if left not in {before, -1}:
            self._ticked[device] = left, now
        self.longest_pause_s = max(self.longest_pause_s, now - at)

    def _note_end(self, device: Device, session: int) -> None:
        known = device.check.sessions.get(session)
        if known is not None and known.status == "completed":
            self.ends_shown.setdefault((device, session), time.time())

    def _is_shown(self, change: Change) -> bool:
        [person] = [p for p in self.people.people if self.people.session_of(p) == change.session]
        others = [device.check for device in person.devices if device is not change.by]
        return all(
            (known := check.sessions.get(change.session)) is not None
            and known.version >= change.version
            for check in others
        )

    def forget_pauses(self) -> None:
        """Only pauses from now on count."""
        now = time.monotonic()
        self._ticked = {device: (left, now) for device, (left, _) in self._ticked.items()}
        self.longest_pause_s = 0.0

    def ends_shown_between(self, first: float, last: float) -> int:
        """How many devices began to show an end between these moments (Unix time)."""
        return sum(first <= at <= last for at in self.ends_shown.values())

    # -- doing -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[None]:
        """All users act; at the end no new command begins. The test breaks and heals within."""
        self.forget_pauses()
        self._stopping = False
        self._start(*(self._keep(self._change, p, CHANGE_EVERY_S) for p in self.changing))
        self._start(*(self._keep(self._ask, p, ASK_EVERY_S) for p in self.asking))
        self._start(*(self._keep(self._knock, p, KNOCK_EVERY_S) for p in self.knocking))
        try:
            yield
        finally:
            self.healed_at = time.monotonic()
            self._stopping = True

    def _start(self, *acts: Coroutine[Any, Any, None]) -> None:
        self._tasks += [asyncio.create_task(act) for act in acts]

    async def _keep(self, act: Callable[[Person, int], Any], person: Person, every: float) -> None:
        for number in itertools.count():
            if self._stopping:
                return
            began = time.monotonic()
            async with asyncio.timeout(GIVE_UP_S):
                await act(person, number)
            await asyncio.sleep(max(0.0, began + every - time.monotonic()))

    async def _change(self, person: Person, number: int) -> None:
        """One device adds or takes a minute, so that the other devices only receive the change."""
        device = person.devices[self.changing.index(person) % len(person.devices)]
        self.command_s.append(await self.insist(person, device, 60 if number % 4 < 2 else -60))

    async def insist(self, person: Person, device: Device, seconds: int = 60) -> float:
        """Repeats a command with one key until acknowledged; seconds of the slowest answer."""
        session, key, slowest_s = self.people.session_of(person), secrets.token_hex(8), 0.0
        while True:
            if not device.is_here:
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            asked = time.monotonic()
            answer = await device._command("extend", session, key, {"seconds": seconds})
            slowest_s = max(slowest_s, time.monotonic() - asked)
            if answer is None:  # the connection was lost, or no answer came in time
                self.refusals["none"] += 1
                continue
            if answer["type"] == "ack":
                self._said[session] += 1
                now = time.monotonic()
                self.changes.append(Change(session, answer["version"], now, device))
                return slowest_s
            self.refusals[answer["code"]] += 1
            assert answer["code"] in LATER, answer
            await asyncio.sleep(AGAIN_S)

    async def _ask(self, person: Person, number: int) -> None:
        """A GET and a POST to each server in turn."""
        bases = self.people.bases
        base, session = bases[number % len(bases)], self.people.session_of(person)
        await self._request("GET", f"{base}/sessions/", person)
        key, seconds = secrets.token_hex(8), 60 if number % 4 < 2 else -60
        while True:
            answer = await self._request(
                "POST", f"{base}/sessions/{session}/extend/", person, key, seconds=seconds
            )
            if answer is not None and answer.status_code == 200:
                self._said[session] += 1
                return
            code = None if answer is None else answer.json()["code"]
            assert code is None or code in LATER, answer
            await asyncio.sleep(AGAIN_S)

    async def _request(
        self, method: str, url: str, person: Person, key: str = "", **body: Any
    ) -> httpx.Response | None:
        """None if the connection broke."""
        headers = {"Authorization": f"Bearer {person.account.access}"}
        if key:
            headers["Idempotency-Key"] = key
        asked = time.monotonic()
        try:
            answer = await self._http.request(method, url, headers=headers, json=body or None)
        except httpx.TransportError as error:
            self.answers.not_allowed.append(repr(error))
            return None
        self.answers.came(answer, time.monotonic() - asked)
        return answer

    async def _knock(self, person: Person, number: int) -> None:
        bases = self.people.bases
        began = time.monotonic()
        code = await knock(bases[number % len(bases)], person.account.access)
        self.knocks[code] += 1
        self.slowest_knock_s = max(self.slowest_knock_s, time.monotonic() - began)

    # -- after it --------------------------------------------------------------------------------

    async def all_done(self) -> float:
        """Waits until all commands that began are acknowledged; the seconds since the healing."""
        acts, self._tasks = self._tasks, []
        await asyncio.gather(*acts)
        return time.monotonic() - self.healed_at

    async def in_step(self) -> float:
        """Waits until all devices show what is committed; the seconds since the healing."""
        await self.people.in_step(within_s=40.0)
        return time.monotonic() - self.healed_at

    async def normal_again(self, patience_s: float = 30.0) -> float:
        """Waits until the median change is shown within 250 ms; the seconds since the healing.

        In rounds of one change by each of `changing`.
        """
        while True:
            began, round_of = time.monotonic(), len(self.changes)
            await asyncio.gather(*(self._change(p, next(self._numbers)) for p in self.changing))
            made = self.changes[round_of:]
            while any(change.shown_after is None for change in made):
                assert time.monotonic() < self.healed_at + patience_s, "changes are not shown"
                await asyncio.sleep(LOOK_EVERY_S)
            usual = quantile([change.shown_after or 0 for change in made], 0.5)
            if usual <= NORMALLY_S:
                return began - self.healed_at
            assert began < self.healed_at + patience_s, f"changes are shown after {usual:.1f} s"

    def not_once(self) -> int:
        """Of the extensions that were acknowledged: how many are stored not at all, or twice."""
        rows = self.people.stack.sql(
            "SELECT session_id, count(*) FROM sessions_app_sessionevent WHERE kind = 'extended'"
            " GROUP BY session_id"
        )
        stored = {session: int(count) for session, count in rows}
        return sum(
            abs(stored.get(session, 0) - self._said[session])
            for session in stored.keys() | self._said.keys()
        )

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    # -- figures ---------------------------------------------------------------------------------

    async def heals(self, measured: Measured) -> None:
        """Measures what is promised after any fault."""
        done_s, in_step_s = await self.all_done(), await self.in_step()
        pause_s = self.longest_pause_s
        normal_s = await self.normal_again()
        shown = [c.shown_after for c in self.changes if c.shown_after is not None]
        measured("all devices in step after the healing", in_step_s, "s", promised=IN_STEP_S)
        measured("all begun done after the healing", done_s, "s")
        measured("changes shown within 250 ms again after the healing", normal_s, "s")
        measured("changes acknowledged", sum(self._said.values()))
        measured("of them lost or done twice", self.not_once(), promised=0)
        measured("a change shown by the other device, p50", quantile(shown, 0.5) * 1000, "ms")
        measured("a change shown by the other device, latest", max(shown), "s", promised=IN_STEP_S)
        measured("longest pause between two ticks", pause_s, "s", promised=NOTHING_LEFT_OUT_S)
        refused = ", ".join(f"{code} {count}" for code, count in self.refusals.items())
        slowest = f"slowest answer to a command ({refused or 'none refused'})"
        measured(slowest, max(self.command_s), "s", promised=ANSWERED_WITHIN_S)
        lost = sum(len(device.losses) for device in self.people.devices)
        measured("connections that devices lost", lost)
        answered = ", ".join(
            f"{n} x {status}" for status, n in sorted(self.answers.statuses.items())
        )
        slowest = f"slowest answer over REST ({answered})"
        measured(slowest, self.answers.slowest_s, "s", promised=ANSWERED_WITHIN_S)
        measured("other answers than 2xx and 503", len(self.answers.not_allowed), promised=0)

    async def ended(self) -> None:
        """Waits until all of `ending` have ended, and all of their devices show it."""
        last = max(self.people.ends_at[self.people.session_of(person)] for person in self.ending)
        await asyncio.sleep(max(0.0, last - time.time()))
        await asyncio.to_thread(self.people.stack.settle)
        await self.people.in_step()
        await asyncio.sleep(2 * LOOK_EVERY_S)  # `watch` has seen it
        devices = sum(len(person.devices) for person in self.ending)
        assert len(self.ends_shown) == devices, f"{len(self.ends_shown)} of {devices} show the end"

    async def ends(self, measured: Measured, *, p99_ms: float, shown_s: float = IN_STEP_S) -> None:
        """Measures how late the ends were, where the timekeeper could work."""
        await self.ended()
        late = self.people.stack.lateness_ms()
        shown = [at - self.people.ends_at[session] for (_, session), at in self.ends_shown.items()]
        measured("sessions ended", len(late))
        measured("ends after their deadline, p99", quantile(late, 0.99), "ms", promised=p99_ms)
        measured("an end shown by a device, latest", max(shown), "s", promised=shown_s)

    def knocked(self, measured: Measured) -> None:
        """Measures the answers to new sockets."""
        closed = ", ".join(f"{n} x {c or 'let in'}" for c, n in sorted(self.knocks.items()))
        slowest = f"slowest answer to a new socket ({closed})"
        measured(slowest, self.slowest_knock_s, "s", promised=ANSWERED_WITHIN_S)
        wrong = sum(n for code, n in self.knocks.items() if code not in {0, 4503})
        measured("new sockets closed with another code than 4503", wrong, promised=0)


async def knock(base: str, token: str) -> int:
    """The code by which a new socket is closed; 0 if it is let in, 1006 if it is cut."""
    url = base.replace("http", "ws", 1) + "/ws/"
    try:
        async with connect(url, compression=None, close_timeout=1, proxy=None) as socket:
            await socket.send(json.dumps({"type": "authenticate", "token": token}))
            async for text in socket:
                if json.loads(text)["type"] == "ready":
                    return 0
            return socket.close_code or 1006
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
    except (OSError, WebSocketException):
        return 1006


@asynccontextmanager
async def scene(
    stack: Stack,
    *servers: Server,
    ends_in: tuple[float, float],
    steady: int = 4,
    changing: int = 4,
    ending: int = 10,
) -> AsyncIterator[Scene]:
    """All users are connected, each with a device on every server. `ends_in`: seconds from now."""
    async with crowd(stack, *servers) as people:
        made = Scene(people)
        made.ending = people.comes(ending, devices=len(servers), due_in=ends_in)
        made.steady = people.comes(steady, devices=len(servers))
        made.changing = people.comes(changing, devices=max(2, len(servers)))
        made.asking = people.comes(2)
        made.knocking = people.comes(1, devices=0)
        await people.connect()
        watching = asyncio.create_task(made.watch())
        try:
            yield made
            if watching.done():
                watching.result()
        finally:
            watching.cancel()
            await made.stop()


def serving(stack: Stack, *environments: dict[str, str]) -> list[Server]:
    """A server for each of the environments, and a timekeeper. All are ready."""
    servers = stack.servers_together(*environments)
    stack.timekeeper()
    return servers


async def ends_after(it: Scene, measured: Measured, *, since: float) -> None:
    """Ends that were due during the outage come soon after it; later ones are on time."""
    healed_at = time.time() - (time.monotonic() - it.healed_at)
    await it.ended()
    space = it.people.stack
    rows = space.sql(
        "SELECT extract(epoch FROM s.ended_at)::float, extract(epoch FROM e.at)::float"
        " FROM sessions_app_sessionevent e JOIN sessions_app_session s ON s.id = e.session_id"
        " WHERE e.kind = 'completed'"
    )
    due_meanwhile = [stored - healed_at for due, stored in rows if since <= due <= healed_at]
    afterwards = [stored - due for due, stored in rows if due > healed_at + 5]
    measured("sessions ended", len(rows))
    if due_meanwhile:
        what = f"the {len(due_meanwhile)} due meanwhile ended after the healing"
        measured(what, max(0.0, *due_meanwhile), "s", promised=5)
    if afterwards:
        late = quantile(afterwards, 0.99) * 1000
        measured("ends after their deadline, p99, five seconds later", late, "ms", promised=100)
