"""What many sockets ask at once is asked once.

After a restart thousands of devices come back within seconds. Each needs a token checked and the
state read; one by one that is some ten statements each, and a thread's hop for every one of them.
The first question goes at once, so one device alone waits for nobody. Those that come while it is
being answered wait together, and are the next batch; while batch follows batch, each waits a moment
for more, because a batch costs nearly the same however small it is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from django.db import Error as DatabaseError

Q = TypeVar("Q")
A = TypeVar("A")

MOST = 200  # questions in one batch: bounds how long the first of them waits
LINGER_S = 0.03  # for more questions, where the batch before has only just been answered
AT_ONCE = 2  # batches on their way, if the first seems to hang: it must not keep everybody out
SEEMS_TO_HANG_S = 0.5


class Batches(Generic[Q, A]):
    """`answer` gives an answer for each question, in their order: a value, or an exception."""

    def __init__(self, answer: Callable[[list[Q]], Awaitable[Sequence[A | Exception]]]) -> None:
        self._answer = answer
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0
        self._asked_at = 0.0  # on the loop's clock, as below: when the last batch set out
        self._answered_at = float("-inf")  # on the loop's clock

    async def ask(self, question: Q) -> A:
        """The answer. Raises the exception that is the answer, or what made the batch fail."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, answered))
        if self._running == 0 or (
            self._running < AT_ONCE and loop.time() - self._asked_at > SEEMS_TO_HANG_S
        ):
            self._running += 1
            task = loop.create_task(self._run(), context=Context())  # nobody's, in the log
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answered

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                if len(self._waiting) < MOST and loop.time() - self._answered_at < LINGER_S:
                    await asyncio.sleep(LINGER_S)
                self._asked_at = loop.time()
                count = min(MOST, len(self._waiting))
                await self._ask_all([self._waiting.popleft() for _ in range(count)])
                self._answered_at = loop.time()
        finally:
            self._running -= 1

    async def _ask_all(self, batch: list[tuple[Q, asyncio.Future[A]]]) -> None:
        batch = [(question, answered) for question, answered in batch if not answered.done()]
        try:
            answers = await self._answer([question for question, _ in batch]) if batch else []
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, DatabaseError | OSError | TimeoutError):
                for one in batch:  # one question that cannot be answered must not harm the others
                    await self._ask_all([one])
                return
            answers = [error] * len(batch)
        for (_, answered), answer in zip(batch, answers, strict=True):
            if answered.done():  # who asked is gone
                continue
            if isinstance(answer, Exception):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)
