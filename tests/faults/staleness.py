"""How long devices do not show what is committed: promise 2, change by change.

What is committed is read from the database, past all code of Space, some times a second.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg

from benchmarks.load_generator.device import Device
from tests.faults.crowd import Crowd

POLL_S = 0.05


class Behind:
    """`longest_s`, and `waits`: of each change and each device that was here all the time."""

    def __init__(self, people: Crowd) -> None:
        self.waits: list[float] = []
        self._people = people
        self._committed: dict[int, int] = {}  # revisions, by user
        self._missing: defaultdict[Device, deque[tuple[int, float]]] = defaultdict(deque)

    @property
    def longest_s(self) -> float:
        now = time.monotonic()
        still = [now - waits[0][1] for waits in self._missing.values() if waits]
        return max([0.0, *self.waits, *still])

    async def watch(self) -> None:
        """Until it is cancelled. While PostgreSQL is down nothing new is committed."""
        while True:
            now = time.monotonic()
            with suppress(psycopg.OperationalError):
                self._saw(await asyncio.to_thread(self._read), now)
            self._received(time.monotonic())
            await asyncio.sleep(POLL_S)

    def _read(self) -> dict[int, int]:
        return dict(self._people.stack.sql("SELECT id, revision FROM accounts_user"))

    def _saw(self, revisions: dict[int, int], at: float) -> None:
        for device in self._people.devices:
            user = self._people.users[device.account.username]
            if revisions[user] > self._committed.get(user, 0):
                self._missing[device].append((revisions[user], at))
        self._committed = revisions

    def _received(self, now: float) -> None:
        for device, missing in self._missing.items():
            if not device.is_here:
                missing.clear()  # it asks when it comes back
            while missing and (device.check.revision or 0) >= missing[0][0]:
                self.waits.append(now - missing.popleft()[1])


@asynccontextmanager
async def behind(people: Crowd) -> AsyncIterator[Behind]:
    made = Behind(people)
    watching = asyncio.create_task(made.watch())
    try:
        yield made
        if watching.done():
            watching.result()
    finally:
        watching.cancel()
