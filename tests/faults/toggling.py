"""Users who pause and resume without a break, so that there is always a command under way."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.load_generator.people import Person
from tests.faults.crowd import Crowd
from tests.faults.stack import Stack

EVERY_S = 0.1
POLL_S = 0.02
CREATED_AND_STARTED = 2  # versions that a session has when its device comes


class Toggling:
    """Each command must be done, and once: the same device pauses, resumes, pauses ..."""

    def __init__(self, people: Crowd) -> None:
        self._people = people
        self._done: Counter[int] = Counter()  # by session
        self._refused: list[str] = []
        self.is_over = False

    @property
    def count(self) -> int:
        """Commands that were acknowledged."""
        return self._done.total()

    async def run(self, person: Person) -> None:
        [device] = person.devices
        session = self._people.session_of(person)
        for action in itertools.cycle(["pause", "resume"]):
            while not device.is_here and not self.is_over:  # noqa: ASYNC110 -- no event says so
                await asyncio.sleep(POLL_S)
            if self.is_over:
                return
            answer = await device.command(action, session)
            if answer is not None and answer["type"] == "ack":
                self._done[session] += 1
            else:
                self._refused.append(f"{action} of session {session}: {answer}")
                return
            await asyncio.sleep(EVERY_S)

    def wrong(self, space: Stack) -> int:
        """Sessions that have not exactly the changes which were acknowledged.

        Raises where a command was refused: done twice, the second one is not allowed any more.
        """
        assert not self._refused, self._refused[:3]
        stored = dict(space.sql("SELECT id, version FROM sessions_app_session"))
        return sum(
            stored[session] != CREATED_AND_STARTED + count for session, count in self._done.items()
        )


@asynccontextmanager
async def toggling(people: Crowd, who: Sequence[Person]) -> AsyncIterator[Toggling]:
    """Until the end; what is under way then is waited for."""
    made = Toggling(people)
    tasks = [asyncio.create_task(made.run(person)) for person in who]
    try:
        yield made
    finally:
        made.is_over = True
        await asyncio.gather(*tasks)
