"""Request coalescing: one batch answers the requests of many sockets.

After a restart thousands of devices come back within seconds. Each needs a token checked and the
state read; one by one that is some ten statements each, and a hop to a thread for each of them. The
first request starts at once, so a single device waits for no other. Requests that come meanwhile
are the next batch. While batch follows batch, each waits a moment for more requests, because a
batch costs nearly the same however small it is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from django.db import Error as DatabaseError

Request = TypeVar("Request")
Answer = TypeVar("Answer")

MAX_BATCH = 200  # bounds how long the first request of a batch waits
LINGER_S = 0.03  # for more requests, if the batch before has only just been answered
MAX_RUNNING = 2  # batches, if the first seems to hang: it must not keep all sockets out
SEEMS_TO_HANG_S = 0.5


class Batcher(Generic[Request, Answer]):
    """`answer_all` gives an answer for each request, in their order: a value, or an exception."""

    def __init__(
        self, answer_all: Callable[[list[Request]], Awaitable[Sequence[Answer | Exception]]]
    ) -> None:
        self._answer_all = answer_all
        self._waiting: deque[tuple[Request, asyncio.Future[Answer]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0
        self._started_at = 0.0  # the last batch, on the loop's clock
        self._answered_at = float("-inf")

    async def submit(self, request: Request) -> Answer:
        """The answer. Raises the exception that is the answer, or that made the batch fail."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((request, answered))
        if self._running == 0 or (
            self._running < MAX_RUNNING and loop.time() - self._started_at > SEEMS_TO_HANG_S
        ):
            self._running += 1
            task = loop.create_task(self._run(), context=Context())  # the log must name no socket
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answered

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                if len(self._waiting) < MAX_BATCH and loop.time() - self._answered_at < LINGER_S:
                    await asyncio.sleep(LINGER_S)
                self._started_at = loop.time()
                count = min(MAX_BATCH, len(self._waiting))
                await self._run_batch([self._waiting.popleft() for _ in range(count)])
                self._answered_at = loop.time()
        finally:
            self._running -= 1

    async def _run_batch(self, batch: list[tuple[Request, asyncio.Future[Answer]]]) -> None:
        batch = [(request, answered) for request, answered in batch if not answered.done()]
        try:
            answers = await self._answer_all([request for request, _ in batch]) if batch else []
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, DatabaseError | OSError | TimeoutError):
                for one in batch:  # a request that cannot be answered must not harm the others
                    await self._run_batch([one])
                return
            answers = [error] * len(batch)
        for (_, answered), answer in zip(batch, answers, strict=True):
            if answered.done():  # its socket is gone
                continue
            if isinstance(answer, Exception):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)
