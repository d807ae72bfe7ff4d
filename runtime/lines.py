"""A line before a group of threads: bounded, and fair to those who stand in it.

Who comes while all threads are busy waits on the event loop, which costs some kilobytes; the
threads go round the waiting clients, so that one with a hundred requests delays another by one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

LONGEST_WAIT_S = 7.0  # of the 10 s that a request takes at most: the rest is for its work


class Full(Exception):
    """There is no place in the line, or its turn did not come. `own`: the client's requests, and
    not those of others, are in the way."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(own)
        self.own = own


class Line:
    """`threads` at work, at most `share(client)` of them for one, and at most `waiting` in line.

    Of the places in line one client gets half. Used on one event loop.
    """

    def __init__(
        self, threads: int, *, waiting: int, share: Callable[[Hashable], int] | None = None
    ) -> None:
        self.threads, self.waiting = threads, waiting
        self.share = share or (lambda _: threads)
        self._working: Counter[Hashable] = Counter()
        self._line: dict[Hashable, deque[asyncio.Future[None]]] = {}  # in the order of turns

    @property
    def at_work(self) -> int:
        return self._working.total()

    @property
    def in_line(self) -> int:
        return sum(map(len, self._line.values()))

    @asynccontextmanager
    async def turn(self, client: Hashable) -> AsyncIterator[None]:
        """Around the work. Raises `Full`."""
        await self.enter(client)
        try:
            yield
        finally:
            self.leave(client)

    async def enter(self, client: Hashable, *, within_s: float | None = None) -> None:
        """Waits for a turn, which the caller ends by `leave`. Raises `Full`."""
        if not self._line and self._may_work(client):
            self._working[client] += 1
        else:
            await self._wait(client, LONGEST_WAIT_S if within_s is None else within_s)

    def _may_work(self, client: Hashable) -> bool:
        return self.at_work < self.threads and self._working[client] < self.share(client)

    async def _wait(self, client: Hashable, within_s: float) -> None:
        if len(self._line.get(client, ())) >= max(1, self.waiting // 2):
            raise Full(own=True)
        if self.in_line >= self.waiting:
            raise Full(own=False)
        place = asyncio.get_running_loop().create_future()
        self._line.setdefault(client, deque()).append(place)
        self._call()
        try:
            async with asyncio.timeout(within_s):
                await place
        except BaseException as error:
            self._give_up(client, place)
            if isinstance(error, TimeoutError):
                raise Full(own=self._working[client] >= self.share(client)) from None
            raise

    def _give_up(self, client: Hashable, place: asyncio.Future[None]) -> None:
        if place.done() and not place.cancelled():  # it was called at the same moment
            self.leave(client)
            return
        if place in (own := self._line.get(client, deque())):
            own.remove(place)
            if not own:
                del self._line[client]

    def leave(self, client: Hashable) -> None:
        self._working[client] -= 1
        if not self._working[client]:
            del self._working[client]
        self._call()

    def _call(self) -> None:
        """Calls whoever may work now. A client that was called goes behind the others."""
        for client in list(self._line):
            if self.at_work >= self.threads:
                return
            if not self._may_work(client):
                continue
            own = self._line.pop(client)
            place = own.popleft()
            if own:
                self._line[client] = own
            if not place.done():
                self._working[client] += 1
                place.set_result(None)
