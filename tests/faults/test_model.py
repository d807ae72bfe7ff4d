"""Two devices of one user, each at a server of its own, against a model of what may happen.

Commands go by the socket or by REST, with and without the version that was seen, once, twice with
one key, or with their answer lost. Messages are lost, the timekeeper is killed, devices come back
with what they know and without. After each step both show exactly what a fresh GET does.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from benchmarks.load_generator.device import Device
from benchmarks.load_generator.people import Person
from benchmarks.load_generator.state import State, lasting
from local.part import Part
from tests.faults.crowd import Crowd, crowd
from tests.faults.measured import BY_FAR, Measured
from tests.faults.stack import Stack, kill, start_again
from tests.support.proxy import Proxy

IN_STEP_WITHIN_S = 6.0
ENDED_WITHIN_S = 5.0  # of the restart of the timekeeper
ONCE_MORE_WITHIN_S = 15.0
MINUTES = 25
MOST_KILLS = 1  # of an example: to start a timekeeper takes a second or two
LOOK_EVERY_S = 0.02
ACTIVE = {"running", "paused"}
FROM = {
    "start": {"ready"},
    "pause": {"running"},
    "resume": {"paused"},
    "extend": ACTIVE,
    "finish": ACTIVE,
    "cancel": ACTIVE,
}
TO = {"start": "running", "pause": "paused", "resume": "running"}
TO |= {"finish": "finished", "cancel": "cancelled"}
# What the fault itself breaks: nobody ends while the only timekeeper is dead.
EXCUSED = {"ended_late", "not_ended"}
T = TypeVar("T")


@dataclass(eq=False)
class Planned:
    """A session, as the model has it. `is_due`: its deadline has passed, and nobody ends it."""

    id: int
    status: str = "ready"
    version: int = 1
    tasks: dict[int, int] = field(default_factory=dict)  # minutes by id
    is_due: bool = False
    is_there: bool = True

    def may(self, action: str, other: Planned | None) -> str:
        """ "ok", or the code of the refusal. `other`: the user's other active session."""
        if self.status not in FROM[action]:
            return "illegal_transition"
        if self.is_due:
            return "already_due"
        if action == "start" and other is not None and not other.is_due:
            return "another_session_is_active"
        return "ok"

    def becomes(self, status: str) -> None:
        self.status = status
        self.version += 1
        self.is_due = False


class Aside:
    """An event loop in a thread: devices live on while hypothesis thinks."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __call__(self, work: Coroutine[Any, Any, T], within_s: float = 120.0) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@dataclass
class Real:
    """The stack. `slowest_s`: of all steps, until both devices showed what is stored."""

    people: Crowd
    keeper: Part
    redis: list[Proxy]
    do: Aside
    with_long_faults: bool
    slowest_s: float = 0.0
    steps: int = 0

    @property
    def keeper_lives(self) -> bool:
        return self.keeper.is_alive()


class TwoDevices(RuleBasedStateMachine):
    """One example: a new user, who has nothing yet."""

    real: ClassVar[Real]
    sessions = Bundle("sessions")
    devices = st.sampled_from([0, 1])
    ways = st.sampled_from(["socket", "rest", "twice", "answer lost"])
    versions = st.sampled_from(["none", "none", "right", "old"])

    def __init__(self) -> None:
        super().__init__()
        self.planned: list[Planned] = []
        self.kills = 0
        self.silenced: set[int] = set()  # servers that hear nothing from Redis
        self.person: Person = self.do(self._comes())

    @property
    def do(self) -> Aside:
        return self.real.do

    async def _comes(self) -> Person:
        [person] = await asyncio.to_thread(self.real.people.comes, 1, devices=2, due_in=None)
        await self.real.people.connect()
        return person

    def teardown(self) -> None:
        self.heal()
        if not self.real.keeper_lives:
            start_again(self.real.keeper)
        self.do(self._goes())

    async def _goes(self) -> None:
        await self.person.evening()
        for device in self.person.devices:
            await device.leave()
        self.real.people.people.remove(self.person)

    # -- commands --------------------------------------------------------------------------------

    @initialize(target=sessions)
    def has_one(self) -> Planned:
        return self._created(twice=False)

    @rule(target=sessions, twice=st.booleans())
    def create(self, twice: bool) -> Planned:
        return self._created(twice)

    @rule(target=sessions, session=sessions, twice=st.booleans())
    def repeat(self, session: Planned, twice: bool) -> Planned:
        if not session.is_there:
            return session
        made = self._plan(self.do(self._made(f"/sessions/{session.id}/repeat/", twice)))
        assert sorted(made.tasks.values()) == sorted(session.tasks.values())
        return made

    @rule(
        session=sessions,
        action=st.sampled_from(["start", "start", "pause", "resume", "finish", "cancel"]),
        device=devices,
        way=ways,
        version=versions,
    )
    def command(self, session: Planned, action: str, device: int, way: str, version: str) -> None:
        self._command(session, action, device, way, version)

    @rule(
        session=sessions,
        seconds=st.sampled_from([1, 60, 300, -30, -7_200]),
        device=devices,
        way=ways,
        version=versions,
    )
    def extend(self, session: Planned, seconds: int, device: int, way: str, version: str) -> None:
        """-7,200 s is more than any session here has left: that finishes it."""
        self._command(session, "extend", device, way, version, seconds=seconds)

    @rule(session=sessions)
    def edit(self, session: Planned) -> None:
        title = f"Model {secrets.token_hex(4)}"
        status, _ = self._ask("PATCH", f"/sessions/{session.id}/", title=title)
        self._changed(session, status)

    @rule(session=sessions, minutes=st.sampled_from([1, 5, 20]))
    def add_task(self, session: Planned, minutes: int) -> None:
        path = f"/sessions/{session.id}/tasks/"
        status, task = self._ask("POST", path, title="Page", duration=minutes)
        fits = sum(session.tasks.values()) + minutes <= MINUTES
        if session.is_there and not fits:
            assert (status, task["code"]) == (422, "task_budget_exceeded")
        elif self._changed(session, status, good=201):
            session.tasks[task["id"]] = minutes

    @rule(session=sessions, data=st.data())
    def edit_task(self, session: Planned, data: st.DataObject) -> None:
        if session.tasks:
            task = data.draw(st.sampled_from(sorted(session.tasks)))
            path, title = f"/sessions/{session.id}/tasks/{task}/", f"Page {secrets.token_hex(4)}"
            self._changed(session, self._ask("PATCH", path, title=title)[0])

    @rule(session=sessions, data=st.data())
    def delete_task(self, session: Planned, data: st.DataObject) -> None:
        if session.tasks:
            task = data.draw(st.sampled_from(sorted(session.tasks)))
            path = f"/sessions/{session.id}/tasks/{task}/"
            if self._changed(session, self._ask("DELETE", path)[0]):
                del session.tasks[task]

    @rule(session=sessions)
    def delete(self, session: Planned) -> None:
        status, _ = self._ask("DELETE", f"/sessions/{session.id}/")
        assert status == (200 if session.is_there else 404)
        session.is_there = False

    @rule(device=devices)
    def let_it_end(self, device: int) -> None:
        """The session that runs is shortened to a second or two. Who lives ends it."""
        session = next((s for s in self._there if s.status == "running" and not s.is_due), None)
        if session is None:
            return
        _, state = self._ask("GET", f"/sessions/{session.id}/")
        seconds = 1 - state["timer"]["remaining_ms"] // 1000
        if seconds < 0:
            self._command(session, "extend", device, "socket", "none", seconds=seconds)
        self._passes(session)

    # -- faults ----------------------------------------------------------------------------------

    @rule(server=devices)
    def lose_the_connection_to_redis(self, server: int) -> None:
        self.real.redis[server].reset()

    @precondition(lambda self: self.real.with_long_faults and not self.silenced)
    @rule(server=devices)
    def lose_all_messages(self, server: int) -> None:
        self.real.redis[server].blackhole()
        self.silenced.add(server)

    @precondition(lambda self: self.silenced)
    @rule()
    def heal(self) -> None:
        for server in self.silenced:
            self.real.redis[server].heal()
        self.silenced.clear()

    @precondition(lambda self: self.real.keeper_lives and self.kills < MOST_KILLS)
    @rule()
    def kill_the_timekeeper(self) -> None:
        self.kills += 1
        kill(self.real.keeper)

    @precondition(lambda self: not self.real.keeper_lives)
    @rule()
    def start_the_timekeeper_again(self) -> None:
        start_again(self.real.keeper)
        for session in self.planned:
            if session.is_due and session.is_there:
                self._passes(session)

    @rule(device=devices, forgets=st.booleans())
    def reconnect(self, device: int, forgets: bool) -> None:
        self.do(self._reconnect(self.person.devices[device], forgets))

    async def _reconnect(self, device: Device, forgets: bool) -> None:
        socket = device._socket
        assert socket is not None
        socket.transport.abort()
        while device._socket is socket:  # noqa: ASYNC110 - the device has no event for it
            await asyncio.sleep(0)
        if forgets:
            device.check.revision = device.check.epoch = None
            device.check.sessions.clear()

    # -- what must be ----------------------------------------------------------------------------

    @invariant()
    def both_devices_show_what_is_stored(self) -> None:
        took_s, stored = self.do(self._until_shown())
        self.real.slowest_s = max(self.real.slowest_s, took_s)
        self.real.steps += 1
        shown = {
            state["id"]: (
                state["timer"]["status"],
                state["timer"]["version"],
                {task["id"]: task["duration"] for task in state["tasks"]},
            )
            for state in stored
        }
        assert shown == {s.id: (s.status, s.version, s.tasks) for s in self._there}

    async def _until_shown(self) -> tuple[float, list[State]]:
        """The seconds until both devices show what GET answers, and that."""
        began = time.monotonic()
        while True:
            stored = await self.person._list()
            fresh = {state["id"]: lasting(state) for state in stored}
            devices = self.person.devices
            shown = [{i: k.state for i, k in d.check.sessions.items()} for d in devices]
            took_s = time.monotonic() - began
            if all(d.is_here for d in devices) and all(each == fresh for each in shown):
                return took_s, stored
            assert took_s < IN_STEP_WITHIN_S * BY_FAR, f"stored: {fresh}; shown: {shown}"
            await asyncio.sleep(LOOK_EVERY_S)

    # -- how -------------------------------------------------------------------------------------

    @property
    def _there(self) -> list[Planned]:
        return [session for session in self.planned if session.is_there]

    def _created(self, twice: bool) -> Planned:
        state = self.do(self._made("/sessions/", twice, title="Model", duration=MINUTES))
        return self._plan(state)

    def _plan(self, state: State) -> Planned:
        tasks = {task["id"]: task["duration"] for task in state["tasks"]}
        self.planned.append(Planned(state["id"], tasks=tasks))
        return self.planned[-1]

    def _command(
        self,
        session: Planned,
        action: str,
        device: int,
        way: str,
        version: str,
        **arguments: Any,
    ) -> None:
        """Does it, and holds the answer to the model."""
        known = {"none": None, "right": session.version, "old": session.version - 1}[version]
        if known:
            arguments["version"] = known
        other = next((s for s in self._there if s.status in ACTIVE and s is not session), None)
        expected = "ok"
        if not session.is_there:
            expected = "not_found"
        elif known and known != session.version:
            expected = "stale_version"
        else:
            expected = session.may(action, other)
        answer = self.do(self._said(self.person.devices[device], way, action, session, arguments))
        assert answer.get("code", "ok") == expected, (answer, session)
        if expected != "ok":
            return
        if action == "start" and other is not None:
            other.becomes("completed")  # it was due: it makes way
        finishes = action == "extend" and arguments["seconds"] <= -7_200
        session.becomes("finished" if finishes else TO.get(action, session.status))
        assert answer["version"] == session.version, (answer, session)

    async def _said(
        self, device: Device, way: str, action: str, session: Planned, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        key, given = secrets.token_hex(8), (action, session.id)
        if way == "rest":
            return await self._repeated(device, *given, key, arguments)
        if way == "answer lost":
            asked = asyncio.create_task(device._command(*given, key, arguments))
            await asyncio.sleep(0)  # it is written now
            assert device._socket is not None
            device._socket.transport.abort()
            await asked
            return await self._repeated(device, *given, key, arguments)
        answer = await device._command(*given, key, arguments)
        assert answer is not None
        if way == "twice":
            again = await self._repeated(device, *given, key, arguments)
            assert (answer["type"], answer.get("code")) == (again["type"], again.get("code"))
            if answer["type"] == "ack":
                assert answer["version"] == again["version"]
        return answer

    async def _repeated(
        self, device: Device, action: str, session: int, key: str, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        """Over REST, until it is answered: the one before may still run."""
        over = time.monotonic() + ONCE_MORE_WITHIN_S
        while True:
            answer = await device._repeat(action, session, key, arguments)
            if answer is not None and answer.get("code") not in {
                "idempotency_in_progress",
                "unavailable",
            }:
                return answer
            assert time.monotonic() < over, answer
            await asyncio.sleep(0.1)

    async def _made(self, path: str, twice: bool, **body: Any) -> State:
        key = secrets.token_hex(8)
        access, rest = self.person.account.access, self.real.people.rest
        answers = [(await rest.ask("POST", path, access, key, **body)) for _ in range(1 + twice)]
        assert {answer.status_code for answer in answers} == {201}
        made: list[State] = [answer.json() for answer in answers]
        assert len({state["id"] for state in made}) == 1
        return made[0]

    def _ask(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        access = self.person.account.access
        answer = self.do(self.real.people.rest.ask(method, path, access, **body))
        return answer.status_code, answer.json()

    def _changed(self, session: Planned, status: int, good: int = 200) -> bool:
        """Holds the answer to the model: there is such a session, or there is not."""
        assert status == (good if session.is_there else 404)
        session.version += session.is_there
        return session.is_there

    def _passes(self, session: Planned) -> None:
        """Its deadline. With nobody to end it, it stands as running, with nothing left."""
        over = time.monotonic() + ENDED_WITHIN_S * BY_FAR
        while True:
            _, state = self._ask("GET", f"/sessions/{session.id}/")
            timer = state["timer"]
            if self.real.keeper_lives and timer["status"] == "completed":
                session.becomes("completed")
                return
            assert timer["status"] == "running", timer
            if not self.real.keeper_lives and timer["remaining_ms"] == 0:
                session.is_due = True
                return
            assert time.monotonic() < over, f"not ended: {timer}"
            time.sleep(LOOK_EVERY_S)


@contextmanager
def real(space: Stack, *, with_long_faults: bool) -> Iterator[Real]:
    ways = [space.behind("REDIS_URL") for _ in range(2)]
    servers = [space.server(**environment) for _, environment in ways]  # type: ignore[arg-type]
    do = Aside()
    entered = crowd(space, *servers)
    try:
        people = do(entered.__aenter__())
        try:
            redis = [proxy for proxy, _ in ways]
            yield Real(people, space.timekeeper(), redis, do, with_long_faults)
        finally:
            do(entered.__aexit__(None, None, None))
    finally:
        do.stop()


def try_out(
    space: Stack, measured: Measured, *, examples: int, steps: int, with_long_faults: bool
) -> None:
    with real(space, with_long_faults=with_long_faults) as made:
        TwoDevices.real = made
        run_state_machine_as_test(
            TwoDevices,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],  # to shrink would take hours
                suppress_health_check=list(HealthCheck),
                verbosity=Verbosity.normal,
            ),
        )
        broken = {rule: n for rule, n in made.people.findings.count.items() if rule not in EXCUSED}
        assert not broken, made.people.findings.example
        measured("steps", made.steps)
        measured("both devices show what GET answers", made.slowest_s, "s", promised=6)
    space.settle()


WHAT = "hypothesis: two devices, all commands, lost messages and answers, a killed timekeeper"


@pytest.mark.timeout(300)
@pytest.mark.fault(WHAT, "1, 2, 3")
def test_two_devices_show_what_is_stored_after_each_step(space: Stack, measured: Measured) -> None:
    try_out(space, measured, examples=4, steps=12, with_long_faults=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.fault(f"{WHAT}; a server that hears nothing for some steps", "1, 2, 3")
def test_two_devices_show_what_is_stored_after_each_of_many_steps(
    space: Stack, measured: Measured
) -> None:
    try_out(space, measured, examples=60, steps=20, with_long_faults=True)
