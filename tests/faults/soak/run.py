"""One soak: users connect, a fault comes every ten seconds, all heals, and the audit is made."""

from __future__ import annotations

import asyncio
import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from django.contrib.auth.hashers import make_password

from benchmarks.load_generator.people import Person
from benchmarks.load_generator.report import judge_left_out, report
from benchmarks.load_generator.rules import RULES
from tests.faults import audit
from tests.faults.crowd import Crowd, crowd
from tests.faults.soak.breaks import ALL, Fault
from tests.faults.soak.processes import World
from tests.faults.soak.proxies import ways
from tests.faults.soak.result import Result
from tests.faults.soak.unwatched import DUE_IN_S, Unwatched
from tests.faults.stack import Stack

FAULT_EVERY_S = 10.0
FIRST_FAULT_AFTER_S = 5.0
LINE_EVERY_S = 60.0
A_SECOND = 10  # sessions of users without a device
SECOND_DEVICE = 0.5  # so many of the people have one
PASSWORD = "the same for all of a soak"
BACK_WITHIN_S = 90.0  # at the end: after many failures a device waits for up to 30 s
CALM_BEFORE_S = 1.0  # a fault, what ends is not counted as "with no fault about",
CALM_AFTER_S = 6.0  # nor so long after it: processes start again
IN_STEP_PATIENCE_S = 30.0
LOOK_EVERY_S = 0.05
LONGEST_EXAMPLE = 1_000  # characters


@dataclass(frozen=True)
class Plan:
    """`only`: faults that have these words in their name; all if empty."""

    minutes: float
    seed: int
    users: int
    only: str


def say(text: str) -> None:
    print(text, flush=True)


async def soak(stack: Stack, plan: Plan) -> Result:
    """Prints as it goes. Ctrl-C ends it early, with the audit; again: at once."""
    with ways() as made:
        world = World(stack, made)
        world.start()
        return await _on(world, plan)


async def _on(world: World, plan: Plan) -> Result:
    stack = world.stack
    unwatched = Unwatched(stack, A_SECOND)
    async with crowd(stack, *world.addresses) as people:
        world.people = people
        _invite(people, plan.users)
        run = _Soak(world, people, unwatched, plan)
        try:
            await run.everything()
        finally:
            await run.stop()
            unwatched.close()
    return run.result


def _invite(people: Crowd, users: int) -> None:
    """Half of them have two devices. All can log in again: an answer with a token may be lost."""
    two = round(users * SECOND_DEVICE)
    people.comes(users - two, devices=1, due_in=(20, 120))
    people.comes(two, devices=2, due_in=(20, 120))
    people.stack.sql("UPDATE accounts_user SET password = %s", make_password(PASSWORD))
    for person in people.people:
        person.account.password = PASSWORD


class _Soak:
    def __init__(self, world: World, people: Crowd, unwatched: Unwatched, plan: Plan) -> None:
        self._world, self._people, self._unwatched, self._plan = world, people, unwatched, plan
        self._dice = random.Random(plan.seed)
        self._background: list[asyncio.Task[None]] = []
        self._breaking: list[tuple[float, float]] = []  # from when to when, in Unix time
        self._began, self._began_at = time.monotonic(), time.time()
        self._shown: set[str] = set()  # rules of which an example was printed
        self.result = Result(plan.minutes, plan.users, len(people.devices), plan.seed)

    # -- the run ---------------------------------------------------------------------------------

    async def everything(self) -> None:
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._asked_to_stop, over)
        self._begin(self._world.keep())
        await self._people.connect(BACK_WITHIN_S)
        self._begin(self._unwatched.keep_coming())
        acting = [self._begin(person.acts()) for person in self._people.people]
        say(f"{self._plan.users} users are here, with {len(self._people.devices)} devices.")
        self._began, self._began_at = time.monotonic(), time.time()
        lines = self._begin(self._lines())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._plan.minutes * 60):
                await self._break_things(over)
        lines.cancel()
        self.result.minutes = (time.monotonic() - self._began) / 60
        await self._end(acting)

    def _asked_to_stop(self, over: asyncio.Event) -> None:
        if over.is_set():
            raise KeyboardInterrupt
        say("Stopping; then all devices must be in step. (Ctrl-C again: at once.)")
        over.set()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A fault of this program must not look like a soak without findings."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_failure)
        self._background.append(task)
        return task

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        self.result.problems.append(f"the soak itself: {error!r}")
        say("".join(traceback.format_exception(error)))

    async def stop(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    # -- faults ----------------------------------------------------------------------------------

    async def _break_things(self, over: asyncio.Event) -> None:
        kinds = [kind for kind in ALL if self._plan.only in kind.what]
        await _unless(over, FIRST_FAULT_AFTER_S)
        while not over.is_set():
            began = time.monotonic()
            kind = self._dice.choice(kinds)
            seconds = self._dice.uniform(*kind.lasts_s)
            await self._break(kind, seconds, random.Random(self._dice.random()))
            await _unless(over, began + FAULT_EVERY_S - time.monotonic())

    async def _break(self, kind: Fault, seconds: float, dice: random.Random) -> None:
        """Broken for so many seconds; then measures the time until all devices are in step."""
        self.result.faults[kind.what] += 1
        began, before = time.time(), self._people.findings.count.copy()
        async with kind.breaks(self._world, dice):
            await asyncio.sleep(seconds)
        self._breaking.append((began, time.time()))
        self._begin(self._until_in_step(kind, began, before))

    async def _until_in_step(self, kind: Fault, began: float, before: Counter[str]) -> None:
        """In the background: the next fault may come before all devices are in step."""
        result, healed, of = self.result, time.monotonic(), self.result.faults.total()
        lasted_s = time.time() - began
        in_step_s = await self._all_in_step(healed)
        told = "nobody knows when" if in_step_s is None else f"in step after {in_step_s:.2f} s"
        if result.faults.total() > of:
            result.interrupted += 1
            told += ", in the next fault"
        elif in_step_s is not None:
            result.in_step_s.append(in_step_s)
        new = dict(self._people.findings.count - before)
        with (self._world.stack.folder / "faults.log").open("a") as log:
            at = began - self._began_at
            log.write(f"{at:7.1f} {kind.what}, {lasted_s:.1f} s: {told} {new or ''}\n")

    async def _all_in_step(self, since: float) -> float | None:
        """Until each connected device has received all that was committed by now."""
        try:
            revisions = await asyncio.to_thread(self._revisions)
        except psycopg.Error:  # broken again
            return None
        users, behind = self._people.users, list(self._people.devices)
        while behind := [
            device
            for device in behind
            if device.is_here
            and (device.check.revision or 0) < revisions[users[device.account.username]]
        ]:
            if time.monotonic() > since + IN_STEP_PATIENCE_S:
                self.result.problems.append(
                    f"not in step after {IN_STEP_PATIENCE_S:g} s: {behind[0].check.who}"
                )
                return None
            await asyncio.sleep(LOOK_EVERY_S)
        return time.monotonic() - since

    def _revisions(self) -> dict[int, int]:
        return dict(self._world.stack.sql("SELECT id, revision FROM accounts_user"))

    # -- lines on the terminal -------------------------------------------------------------------

    async def _lines(self) -> None:
        seen = 0
        while True:
            await asyncio.sleep(LINE_EVERY_S)
            ended, latest, seen = await asyncio.to_thread(self._ends, seen)
            self._sum_up()
            minutes, seconds = divmod(round(time.monotonic() - self._began), 60)
            result, people = self.result, self._people
            say(
                f"{minutes:3}:{seconds:02}  ended {ended:,}  here {len(people.here)}"
                f"/{len(people.devices)}  faults {result.faults.total()}"
                f"  5xx {result.errors} (503: {result.answers['503']:,})"
                f"  latest end {latest:,} ms  rules broken {dict(result.wrong) or 0}"
                f" (late because of faults: {result.late.total():,})"
            )
            self._show_examples()

    def _ends(self, seen: int) -> tuple[int, int, int]:
        """How many so far, and the lateness of the latest of those after the row `seen`."""
        query = """
            SELECT count(*), coalesce(max((data->>'late_ms')::int) FILTER (WHERE id > %s), 0),
                coalesce(max(id), 0) FROM sessions_app_sessionevent WHERE kind = 'completed'"""
        try:
            [(ended, latest, newest)] = self._world.stack.sql(query, seen)
        except psycopg.Error:  # broken just now
            return 0, 0, seen
        return ended, latest, newest

    def _sum_up(self) -> None:
        result, tally = self.result, self._people.tally
        result.broken = self._people.findings.count.copy()
        result.deaths = self._world.deaths.copy()
        said = "requests answered "
        for what, count in tally.count.items():
            if what.startswith(said):
                result.answers[what.removeprefix(said)] = count
        result.commands = tally.count["commands acknowledged"]
        result.ticks = tally.count["ticks"]
        result.latest_answer_ms = tally.took["a request"].most
        result.was_bottleneck = self._people.lag.is_bottleneck

    # -- the end ---------------------------------------------------------------------------------

    async def _end(self, acting: list[asyncio.Task[None]]) -> None:
        """Everything heals; all that is due ends; each device shows what is stored."""
        people, stack, result = self._people, self._world.stack, self.result
        for process in self._world.processes:
            process.stays_away = False
            process.redis.heal()
            process.database.heal()
        self._background = [task for task in self._background if not task.done()]
        for task in self._background:
            if task in acting or "keep_coming" in repr(task.get_coro()):
                task.cancel()
        say("Everybody stops. All heals; then all devices must show what is stored.")
        began = time.monotonic()
        try:
            result.settled_s = await asyncio.to_thread(stack.settle, BACK_WITHIN_S)
            await people.all_here(BACK_WITHIN_S)
            result.last_back_s = time.monotonic() - began
            result.last_in_step_s = await people.in_step(BACK_WITHIN_S)
            await people.each(Person.evening)
        except AssertionError as error:
            result.problems.append(str(error))
        await asyncio.to_thread(self._audit)
        judge_left_out(people.tally, people.findings, people.lag)
        self._sum_up()
        say(report(people.tally, people.findings, people.lag))
        self._show_examples()

    def _show_examples(self) -> None:
        for rule in self.result.wrong.keys() - self._shown:
            self._shown.add(rule)
            example = self._people.findings.example[rule]
            say(f"{rule}: {RULES[rule]}\n    {example[:LONGEST_EXAMPLE]}")

    def _audit(self) -> None:
        """Once the last session of the users without a device has ended."""
        patience_s = DUE_IN_S[1] + BACK_WITHIN_S
        over = time.monotonic() + patience_s
        while self._unwatched.left() and time.monotonic() < over:
            time.sleep(0.2)
        with self._world.stack.db() as db:
            self.result.audit = audit.audit(db)
            say(f"The audit: {self.result.audit}")
            if any(self.result.audit.values()):
                say(audit.examples(db))
            rows = db.execute(
                "SELECT extract(epoch FROM s.ended_at)::float, (e.data->>'late_ms')::int"
                " FROM sessions_app_sessionevent e LEFT JOIN sessions_app_session s"
                " ON s.id = e.session_id WHERE e.kind = 'completed'"
            ).fetchall()
        self.result.late_ms = sorted(late for _, late in rows)
        self.result.calm_late_ms = sorted(
            late for at, late in rows if at is not None and not self._was_broken(at)
        )

    def _was_broken(self, at: float) -> bool:
        return any(
            began - CALM_BEFORE_S <= at <= ended + CALM_AFTER_S for began, ended in self._breaking
        )


async def _unless(over: asyncio.Event, seconds: float) -> None:
    """Waits so many seconds, or until the soak is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await over.wait()
