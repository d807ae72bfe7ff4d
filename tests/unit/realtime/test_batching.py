"""Requests of many sockets are one batch, and each has its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from django.db import OperationalError

from realtime.hub.batching import LINGER_S, MAX_BATCH, MAX_RUNNING, Batcher

UNANSWERABLE = 9_999


@dataclass
class Oracle:
    """Doubles numbers, once it may speak. `asked` are the batches that reached it."""

    may_speak: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[list[int]] = field(default_factory=list)
    fails: Exception | None = None

    async def answer(self, numbers: list[int]) -> Sequence[int | Exception]:
        self.asked.append(numbers)
        await self.may_speak.wait()
        if self.fails is not None:
            raise self.fails
        if UNANSWERABLE in numbers:
            raise ZeroDivisionError
        return [ValueError(str(n)) if n < 0 else 2 * n for n in numbers]


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


@pytest.fixture
def batcher(oracle: Oracle) -> Batcher[int, int]:
    return Batcher(oracle.answer)


async def asked(batcher: Batcher[int, int], *numbers: int) -> list[int | BaseException]:
    asking = [asyncio.ensure_future(batcher.submit(number)) for number in numbers]
    async with asyncio.timeout(5):
        return await asyncio.gather(*asking, return_exceptions=True)


async def test_requests_that_come_meanwhile_are_one_batch(
    oracle: Oracle, batcher: Batcher[int, int]
) -> None:
    first = [asyncio.ensure_future(batcher.submit(n)) for n in range(MAX_RUNNING)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(batcher.submit(n)) for n in range(10, 20)]
    await asyncio.sleep(0)
    oracle.may_speak.set()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*first, *rest) == [
            *(2 * n for n in range(MAX_RUNNING)),
            *(2 * n for n in range(10, 20)),
        ]
    assert list(range(10, 20)) in oracle.asked


async def test_a_batch_has_a_largest_size(oracle: Oracle, batcher: Batcher[int, int]) -> None:
    oracle.may_speak.set()
    numbers = range(100, 100 + 3 * MAX_BATCH)
    assert await asked(batcher, *numbers) == [2 * n for n in numbers]
    assert max(len(batch) for batch in oracle.asked) == MAX_BATCH


async def test_a_request_that_is_refused_or_fails_harms_no_other(
    oracle: Oracle, batcher: Batcher[int, int]
) -> None:
    oracle.may_speak.set()
    for bad, error in ((-2, ValueError), (UNANSWERABLE, ZeroDivisionError)):
        one, refused, three = await asked(batcher, 1, bad, 3)
        assert (one, three) == (2, 6)
        assert isinstance(refused, error)


async def test_an_absent_database_fails_a_whole_batch_at_once(
    oracle: Oracle, batcher: Batcher[int, int]
) -> None:
    oracle.fails = OperationalError("away")
    oracle.may_speak.set()
    answers = await asked(batcher, *range(50))
    assert all(isinstance(answer, OperationalError) for answer in answers)
    assert len(oracle.asked) <= MAX_RUNNING + 1


async def test_a_cancelled_request_takes_no_answer_from_the_others(
    oracle: Oracle, batcher: Batcher[int, int]
) -> None:
    gone, stays = (asyncio.ensure_future(batcher.submit(n)) for n in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    oracle.may_speak.set()
    async with asyncio.timeout(5):
        assert await stays == 4


async def test_while_batch_follows_batch_each_waits_a_moment_for_more(
    oracle: Oracle, batcher: Batcher[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle.may_speak.set()
    assert await batcher.submit(1) == 2  # alone it is answered at once
    lingered = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        """Meanwhile others come."""
        lingered.append(seconds)
        if not late:
            late.extend(asyncio.ensure_future(batcher.submit(n)) for n in (3, 4))
        await real(0)
        await real(0)

    late: list[asyncio.Future[int]] = []
    monkeypatch.setattr("realtime.hub.batching.asyncio.sleep", sleep)
    assert await batcher.submit(2) == 4
    async with asyncio.timeout(5):
        assert await asyncio.gather(*late) == [6, 8]
    assert lingered[0] == LINGER_S
    assert oracle.asked[:2] == [[1], [2, 3, 4]]
