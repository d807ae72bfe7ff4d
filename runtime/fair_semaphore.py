"""A semaphore that is fair between clients, for threads and for an event loop.

A slot that comes free is given to the waiting client that was served longest ago: a client with a
hundred requests delays another client by one of them. A slot is handed over, never up for grabs: a
request that comes late takes it from no request that waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from math import inf
from threading import Lock
from typing import Generic, TypeVar

from django.db import connection

Ticket = TypeVar("Ticket", Future[None], asyncio.Future[None])


class Overloaded(Exception):
    """The queue is full, or no slot came free in time. `own`: because of the client's own requests,
    which fill its share."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(own)
        self.own = own


class _Slots(Generic[Ticket]):
    """The rule. A request waits for the result of a `Ticket`.

    A client has at most `share(client)` of the `slots` and at most `queue_share(client)` places in
    the queue, which has `queue` places. While a client that may take a slot waits, none is free.
    """

    def __init__(
        self,
        slots: int,
        *,
        share: Callable[[Hashable], float] | None = None,
        queue: float = inf,
        queue_share: Callable[[Hashable], float] | None = None,
    ) -> None:
        self.slots, self.queue = slots, queue
        self.in_use = 0
        self._lock = Lock()  # threads need it
        self._share = share or _no_limit
        self._queue_share = queue_share or _no_limit
        self._used: Counter[Hashable] = Counter()
        self._queues: dict[Hashable, deque[Ticket]] = {}  # none is empty; served longest ago first

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    def _take_or_queue(self, client: Hashable, ticket: Callable[[], Ticket]) -> Ticket | None:
        """None: the client has its slot. Otherwise a ticket to wait for. Raises Overloaded."""
        if self._may_take(client):
            self._take(client)
            return None
        if len(self._queues.get(client, ())) >= self._queue_share(client):
            raise Overloaded(own=True)
        if self.waiting >= self.queue:
            raise Overloaded(own=False)
        waiting = ticket()
        self._queues.setdefault(client, deque()).append(waiting)
        return waiting

    def _may_take(self, client: Hashable) -> bool:
        return self.in_use < self.slots and not self._fills_its_share(client)

    def _fills_its_share(self, client: Hashable) -> bool:
        return self._used[client] >= self._share(client)

    def _take(self, client: Hashable) -> None:
        self.in_use += 1
        self._used[client] += 1

    def _give_back(self, client: Hashable) -> None:
        """Frees a slot, and hands it to the next request that may take it."""
        self.in_use -= 1
        self._used[client] -= 1
        if not self._used[client]:
            del self._used[client]
        for waiting in list(self._queues):
            if self._may_take(waiting) and self._wake_first(waiting):
                self._take(waiting)
                return

    def _wake_first(self, client: Hashable) -> bool:
        """Wakes the client's first request that is still there. The client moves to the end."""
        own = self._queues.pop(client)
        woken = False
        while own and not woken:
            if woken := not (ticket := own.popleft()).done():
                ticket.set_result(None)
        if own:
            self._queues[client] = own
        return woken

    def _withdraw(self, client: Hashable, ticket: Ticket) -> None:
        if ticket in (own := self._queues.get(client, deque())):
            own.remove(ticket)
            if not own:
                del self._queues[client]


class FairSemaphore(_Slots[Future[None]]):
    """For threads."""

    @contextmanager
    def slot(self, client: Hashable, *, within_s: float) -> Iterator[None]:
        """Holds a slot for the block. Raises Overloaded."""
        self.acquire(client, within_s=within_s)
        try:
            yield
        finally:
            self.release(client)

    def acquire(self, client: Hashable, *, within_s: float) -> None:
        """Waits up to `within_s` seconds for a slot, without a connection to the database (unless
        it is in a transaction). Raises Overloaded.
        """
        with self._lock:
            ticket = self._take_or_queue(client, Future)
        if ticket is None:
            return
        if not connection.in_atomic_block:
            connection.close()  # a process has few, and requests that wait would hold them all
        try:
            ticket.result(within_s)
        except TimeoutError:
            with self._lock:
                if not ticket.done():  # at the last moment
                    self._withdraw(client, ticket)
                    raise Overloaded(own=self._fills_its_share(client)) from None

    def release(self, client: Hashable) -> None:
        with self._lock:
            self._give_back(client)


class AsyncFairSemaphore(_Slots["asyncio.Future[None]"]):
    """For the tasks of one event loop."""

    @asynccontextmanager
    async def slot(self, client: Hashable, *, within_s: float) -> AsyncIterator[None]:
        """Holds a slot for the block. Raises Overloaded."""
        await self.acquire(client, within_s=within_s)
        try:
            yield
        finally:
            self.release(client)

    async def acquire(self, client: Hashable, *, within_s: float) -> None:
        """Waits up to `within_s` seconds for a slot. Raises Overloaded."""
        ticket = self._take_or_queue(client, asyncio.get_running_loop().create_future)
        if ticket is None:
            return
        try:
            async with asyncio.timeout(within_s):
                await ticket
        except BaseException as error:
            if ticket.done() and not ticket.cancelled():  # it got a slot at the same moment
                self.release(client)
            self._withdraw(client, ticket)
            if isinstance(error, TimeoutError):
                raise Overloaded(own=self._fills_its_share(client)) from None
            raise

    def release(self, client: Hashable) -> None:
        self._give_back(client)


def _no_limit(_client: Hashable) -> float:
    return inf
