"""One run: sign in, connect, act, compare, report."""

from __future__ import annotations

import asyncio
import random
import resource
import signal
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.load_generator.accounts import signed_in
from benchmarks.load_generator.device import Device
from benchmarks.load_generator.device_check import DeviceCheck
from benchmarks.load_generator.lag import Lag, now_ms
from benchmarks.load_generator.people import Person
from benchmarks.load_generator.report import judge_left_out, line, report
from benchmarks.load_generator.rest import Rest
from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.tally import Tally
from benchmarks.load_generator.user_check import UserCheck
from local.problem import Problem

DEVICES_OF_A_USER = 10  # the server's limit of sockets
LINE_EVERY_S = 10.0
COMING_PER_S = 100  # devices, at the beginning
FILES_BESIDE = 100
PEOPLE_AT_ONCE = 16  # where all do the same


@dataclass
class Plan:
    """The options of a run. Devices spread over the `urls`; requests go to the first."""

    urls: list[str]
    devices: int
    sessions: int
    minutes: float
    users_file: Path

    @property
    def users(self) -> int:
        """As many as sessions, since of a user one runs at a time, and enough for the devices."""
        fewest = -(-self.devices // DEVICES_OF_A_USER)
        return max(fewest, min(self.devices, self.sessions))


def say(text: str) -> None:
    print(text, flush=True)


async def run(plan: Plan) -> Findings:
    """Prints as it goes. Raises `Problem`."""
    _enough_files(plan.devices)
    findings, tally, lag = Findings(), Tally(), Lag()
    rest = Rest(plan.urls[0], findings, tally, say)
    stop = _stop_at_ctrl_c()
    watching = asyncio.create_task(lag.watch())
    try:
        for url in plan.urls:
            await _check_ready(url)
        people = await _people(plan, rest, findings, tally, lag)
        if not stop.is_set():
            await _a_day(plan, people, findings, tally, stop)
    finally:
        watching.cancel()
        await rest.close()
    judge_left_out(tally, findings, lag)
    say(report(tally, findings, lag))
    return findings


async def _people(
    plan: Plan, rest: Rest, findings: Findings, tally: Tally, lag: Lag
) -> list[Person]:
    users = plan.users
    sessions = max(plan.sessions, users)
    if sessions > plan.sessions:
        say(f"A user has at most {DEVICES_OF_A_USER} devices: {sessions} sessions instead.")
    people = []
    for n, account in enumerate(await signed_in(rest, users, plan.users_file, say)):
        check = UserCheck(account.username, findings)
        share = sessions // users + (n < sessions % users)
        people.append(Person(account, check, share, rest, findings, tally))
    for n in range(plan.devices):
        person = people[n % users]
        name = f"Device {len(person.devices) + 1}"
        device_check = DeviceCheck(f"{person.check.name}'s {name}", person.check, findings, tally)
        where = plan.urls[len(person.devices) % len(plan.urls)]
        device = Device(name, where, person.account, device_check, rest, lag, tally)
        person.devices.append(device)
    where = ", ".join(plan.urls)
    say(f"{plan.devices} devices of {users} users with {sessions} sessions, at {where}.")
    await _each(person.morning() for person in people)
    return people


async def _a_day(
    plan: Plan, people: list[Person], findings: Findings, tally: Tally, stop: asyncio.Event
) -> None:
    devices = [device for person in people for device in person.devices]
    coming_s = len(devices) / COMING_PER_S
    lives = [asyncio.create_task(d.live(random.uniform(0, coming_s))) for d in devices]
    acting = [asyncio.create_task(person.acts()) for person in people]
    began = now_ms()
    while not stop.is_set() and (left := began + plan.minutes * 60_000 - now_ms()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), min(LINE_EVERY_S, left / 1000))
        here = sum(device.is_here for device in devices)
        say(line((now_ms() - began) / 1000, here, len(devices), tally, findings))
    _raise_first(await _stopped(acting))
    say("All people stop; now all devices must show what is stored. (Ctrl-C again: at once.)")
    stop.clear()
    await _unless(stop, _each(person.evening() for person in people))
    await asyncio.gather(*(device.leave() for device in devices))
    _raise_first(await _stopped(lives))
    if not stop.is_set():
        await _unless(stop, _each(person.clean_up() for person in people))


async def _each(works: Iterable[Awaitable[None]]) -> None:
    gate = asyncio.Semaphore(PEOPLE_AT_ONCE)

    async def one(work: Awaitable[None]) -> None:
        async with gate:
            try:
                await work
            except httpx.HTTPError as error:
                say(f"A request failed: {type(error).__name__} {error}")

    await asyncio.gather(*(one(work) for work in works))


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Does this work until its end, or until the run is stopped."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
    with suppress(asyncio.CancelledError):
        await working


async def _stopped(tasks: list[asyncio.Task[None]]) -> list[BaseException]:
    """What they failed with, other than by being cancelled."""
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    return [e for e in ended if e is not None and not isinstance(e, asyncio.CancelledError)]


def _raise_first(failures: list[BaseException]) -> None:
    """A fault of this program must not look like a run without violations."""
    if failures:
        raise failures[0]


async def _check_ready(url: str) -> None:
    try:
        async with httpx.AsyncClient(timeout=10) as http:
            answer = await http.get(url + "/readyz")
    except httpx.HTTPError as error:
        raise Problem(f"No Space answers at {url} ({type(error).__name__}).") from None
    if answer.status_code != 200:
        raise Problem(f"The Space at {url} is not ready: {answer.text[:300]}")


def _stop_at_ctrl_c() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _enough_files(devices: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = devices + FILES_BESIDE
    if most != resource.RLIM_INFINITY and wanted > most:
        raise Problem(
            f"{devices} devices need {wanted} open files, and {most} are allowed here (ulimit -n)."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most < 0 else most, most))
