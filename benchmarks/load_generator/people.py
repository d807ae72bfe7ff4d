"""What a person does with some devices and some sessions: a few things a minute, not all sensible.

What a person does is random. What a device may receive is not: the checks judge that.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import httpx

from benchmarks.load_generator.accounts import Account
from benchmarks.load_generator.device import Device
from benchmarks.load_generator.lag import now_ms
from benchmarks.load_generator.log_check import check_devices, check_log
from benchmarks.load_generator.rest import Rest
from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.state import Known, State
from benchmarks.load_generator.tally import Tally
from benchmarks.load_generator.user_check import UserCheck

TITLE = "Load"  # of all sessions of a run, so that a later run can delete what is left
MINUTES = (1, 2, 3, 25)
ENDED = {"completed", "finished", "cancelled"}
KEPT = 3  # ended sessions
IN_STEP_WITHIN_S = 15.0  # at the end; a lost message is healed within 6
PAUSE_S = (3.0, 9.0)  # between two acts of a person


class Person:
    """`acts()` until it is cancelled; then `evening()`."""

    def __init__(
        self,
        account: Account,
        check: UserCheck,
        sessions: int,
        rest: Rest,
        findings: Findings,
        tally: Tally,
    ) -> None:
        self.account, self.check, self.sessions = account, check, sessions
        self.devices: list[Device] = []
        self._rest, self._findings, self._tally = rest, findings, tally

    # -- the day ---------------------------------------------------------------------------------

    async def morning(self) -> None:
        """Deletes the sessions of another run, plans those of this one, and starts the first."""
        for state in await self._list():
            if state["title"].startswith(TITLE):
                await self._ask("DELETE", f"/sessions/{state['id']}/")
        made = [await self._plan() for _ in range(self.sessions)]
        if made[0] is not None:
            await self._ask("POST", f"/sessions/{made[0]['id']}/start/")

    async def acts(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(*PAUSE_S))
            here = [device for device in self.devices if device.is_here]
            if here:
                with suppress(httpx.HTTPError):  # the server is away: the devices say so
                    await self._act(random.choice(here), here)
            self.check.look_for_lost_acks(now_ms(), somebody_listens=bool(here))

    async def _act(self, device: Device, here: list[Device]) -> None:
        known = device.check.sessions
        active = next((i for i, k in known.items() if k.status in {"running", "paused"}), None)
        chance = random.random()
        if chance < 0.12:
            device.close_the_laptop(random.choice([0.2, 1, 5, 15]))
        elif chance < 0.17:
            await device.want_ticks(random.choice([0, 1000, 1000, 2000, 5000]))
        elif chance < 0.19:
            await device.authenticate_again()
        elif chance < 0.37:
            await self._edit(device, known)
        elif active is None:
            await self._begin(device, known)
        elif known[active].status == "paused":
            await self._when_paused(device, active)
        else:
            await self._when_running(device, active, known[active], here)

    async def _begin(self, device: Device, known: dict[int, Known]) -> None:
        ended = sorted(i for i, k in known.items() if k.status in ENDED)
        for session in ended[:-KEPT]:
            await self._ask("DELETE", f"/sessions/{session}/")
        ready = [i for i, k in known.items() if k.status == "ready"]
        while len(ready) < self.sessions:
            state = await (self._again(ended[-1]) if ended else self._plan())
            if state is None:
                return
            ready.append(state["id"])
            ended = []
        await device.command("start", random.choice(ready))

    async def _when_paused(self, device: Device, session: int) -> None:
        match random.choices(["resume", "extend", "finish", "cancel"], [70, 15, 8, 7])[0]:
            case "extend":
                await device.command("extend", session, seconds=random.choice([-30, 60, 300]))
            case action:
                await device.command(action, session)

    async def _when_running(
        self, device: Device, session: int, known: Known, here: list[Device]
    ) -> None:
        acts = ["pause", "extend", "hurry", "finish", "cancel", "twice", "stale", "at once"]
        match random.choices(acts, [25, 15, 25, 5, 5, 10, 5, 10])[0]:
            case "extend":
                await device.command("extend", session, seconds=random.choice([60, 120, 300]))
            case "hurry":  # to see it end
                assert known.ends_at_ms is not None
                if device.check.clock.is_known:
                    left_s = (known.ends_at_ms - device.check.clock.now(now_ms())) / 1000
                    seconds = random.randint(3, 9) - int(left_s)
                    if -86_400 <= seconds < 0:
                        await device.command("extend", session, seconds=seconds)
            case "twice":
                self._same(await device.twice("pause", session), session)
            case "stale":
                version = max(1, known.version - 1)
                await device.command("pause", session, version=version)
            case "at once":
                both = random.sample(here, min(2, len(here)))
                await asyncio.gather(*(each.command("pause", session) for each in both))
            case action:
                await device.command(action, session)

    def _same(self, answers: tuple[Any, Any], session: int) -> None:
        one, other = answers
        if one is None or other is None:
            return
        if {"idempotency_in_progress", "unavailable"} & {one.get("code"), other.get("code")}:
            return  # not its answer: ask again later
        said = [(each["type"], each.get("code"), each.get("version")) for each in answers]
        if said[0] != said[1]:
            self._findings.found(
                "key_done_twice", f"{self.check.name}: a pause of session {session}: {said}"
            )

    async def _edit(self, device: Device, known: dict[int, Known]) -> None:
        open_ = [i for i, k in known.items() if k.status not in ENDED]
        if not open_:
            return
        session = random.choice(open_)
        tasks = known[session].state["tasks"]
        path = f"/sessions/{session}/tasks/"
        match random.choice(["add", "done", "rename", "remove"] if tasks else ["add", "title"]):
            case "add":
                await self._ask("POST", path, title=f"Page {len(tasks) + 1}", duration=1)
            case "done":
                task = random.choice(tasks)
                await self._ask("PATCH", f"{path}{task['id']}/", done=not task["done"])
            case "rename":
                task = random.choice(tasks)
                await self._ask("PATCH", f"{path}{task['id']}/", title=f"{task['title'][:80]}'")
            case "remove":
                await self._ask("DELETE", f"{path}{random.choice(tasks)['id']}/")
            case _:
                title = f"{TITLE} {random.randint(1, 99)}"
                state = await self._ask("PATCH", f"/sessions/{session}/", title=title)
                if state is not None and device.is_here:
                    device.check.learnt(state, now_ms())

    async def _plan(self) -> State | None:
        return await self._make("/sessions/", title=TITLE, duration=random.choice(MINUTES))

    async def _again(self, session: int) -> State | None:
        return await self._make(f"/sessions/{session}/repeat/")

    async def _make(self, path: str, **body: Any) -> State | None:
        made: State | None = await self._ask("POST", path, **body)
        return made

    # -- the evening -----------------------------------------------------------------------------

    async def evening(self) -> None:
        """Stops what runs; then all devices must show what is stored, and the log must be whole."""
        for state in await self._list():
            if state["timer"]["status"] in {"running", "paused"}:
                await self._ask("POST", f"/sessions/{state['id']}/cancel/")
        fresh, revision = await self._in_step()
        here = [device.check for device in self.devices if device.is_here]
        self._tally.count["devices that were away at the end"] += len(self.devices) - len(here)
        check_devices(fresh, revision, here, self._findings)
        for state in fresh:
            log = await self._ask("GET", f"/sessions/{state['id']}/events/")
            if log is not None:
                check_log(state, log, self.check, self._findings)
        self.check.stored(fresh)
        at = now_ms() + 3_600_000
        self.check.look_for_lost_acks(at, somebody_listens=True, rule="ack_not_stored")

    async def _in_step(self) -> tuple[list[State], int]:
        """All sessions and the revision, when all devices have that or their time is over."""
        over = now_ms() + IN_STEP_WITHIN_S * 1000
        while True:
            before, fresh = await self._revision(), await self._list()
            revision = await self._revision()
            if before == revision:  # nothing happened while we read
                in_step = all(d.is_here and d.check.revision == revision for d in self.devices)
                if in_step or now_ms() > over:
                    return fresh, revision
            await asyncio.sleep(0.3)

    async def clean_up(self) -> None:
        for state in await self._list():
            if state["title"].startswith(TITLE):
                await self._ask("DELETE", f"/sessions/{state['id']}/")

    # -- asking ----------------------------------------------------------------------------------

    async def _list(self) -> list[State]:
        found = await self._ask("GET", "/sessions/")
        return list(found or [])

    async def _revision(self) -> int:
        return int((await self._ask("GET", "/changes/?since=0") or {"revision": -1})["revision"])

    async def _ask(self, method: str, path: str, **body: Any) -> Any:
        """The body of the answer, or None for a refusal."""
        answer = await self._rest.ask(method, path, self.account.access, **body)
        if answer.status_code == 401 and await self.account.renew(self._rest):
            answer = await self._rest.ask(method, path, self.account.access, **body)
        return answer.json() if answer.status_code < 300 else None
