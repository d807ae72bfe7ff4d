"""A semaphore bounds its queue, and gives its slots to the waiting clients in turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import fair_semaphore
from runtime.fair_semaphore import AsyncFairSemaphore, FairSemaphore, Overloaded

LONG_S = 30.0


class Work:
    """Requests that hold a slot until the test ends them."""

    def __init__(self, slots: int, **limits: Any) -> None:
        self.semaphore = AsyncFairSemaphore(slots, **limits)
        self.order: list[Hashable] = []  # in which the clients got a slot
        self.most = 0
        self._go: list[asyncio.Event] = []

    async def begin(self, client: Hashable, within_s: float = LONG_S) -> asyncio.Task[None]:
        request = asyncio.ensure_future(self._work(client, within_s))
        await settle()
        return request

    async def _work(self, client: Hashable, within_s: float) -> None:
        async with self.semaphore.slot(client, within_s=within_s):
            self.order.append(client)
            self.most = max(self.most, self.semaphore.in_use)
            self._go.append(asyncio.Event())
            await self._go[-1].wait()

    def end_oldest(self) -> None:
        self._go.pop(0).set()

    async def end_all(self) -> None:
        while self._go:
            self.end_oldest()
            await settle()

    def is_idle(self) -> bool:
        return (self.semaphore.in_use, self.semaphore.waiting) == (0, 0)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


# -- the rule, on an event loop ------------------------------------------------------------------


async def test_as_many_requests_work_as_there_are_slots_and_the_others_follow() -> None:
    work = Work(2)
    requests = [await work.begin(n) for n in range(5)]
    assert (work.order, work.semaphore.waiting) == ([0, 1], 3)
    await work.end_all()
    await asyncio.gather(*requests)
    assert (work.order, work.most, work.is_idle()) == ([0, 1, 2, 3, 4], 2, True)


async def test_slots_go_round_the_waiting_clients() -> None:
    work = Work(1)
    requests = [await work.begin("ada") for _ in range(10)]
    requests += [await work.begin(client) for client in ("eve", "eve", "joe")]
    await work.end_all()
    await asyncio.gather(*requests)
    assert work.order[:6] == ["ada", "ada", "eve", "joe", "ada", "eve"]


async def test_one_client_gets_no_more_than_its_share() -> None:
    work = Work(4, share=lambda _: 2)
    requests = [await work.begin("ada") for _ in range(4)]
    assert work.order == ["ada", "ada"]
    requests.append(await work.begin("eve"))
    assert work.order == ["ada", "ada", "eve"], "though others wait"
    await work.end_all()
    await asyncio.gather(*requests)
    assert work.order == ["ada", "ada", "eve", "ada", "ada"]


async def test_the_queue_is_bounded_and_one_client_gets_its_share_of_it() -> None:
    work = Work(1, queue=4, queue_share=lambda _: 2)
    requests = [await work.begin("ada") for _ in range(3)]
    with pytest.raises(Overloaded) as refusal:
        await (await work.begin("ada"))
    assert refusal.value.own
    requests += [await work.begin(client) for client in ("eve", "joe")]
    with pytest.raises(Overloaded) as refusal:
        await (await work.begin("new"))
    assert not refusal.value.own
    await work.end_all()
    await asyncio.gather(*requests)


async def test_a_full_queue_keeps_no_client_from_a_free_slot() -> None:
    work = Work(2, share=lambda _: 1, queue=1)
    requests = [await work.begin(client) for client in ("ada", "ada", "eve")]
    assert work.order == ["ada", "eve"]
    await work.end_all()
    await asyncio.gather(*requests)


@pytest.mark.parametrize(("share", "own"), [(1, True), (2, False)])
async def test_a_request_that_waits_too_long_leaves_the_queue(share: int, own: bool) -> None:
    work = Work(2, share=lambda _: share)
    requests = [await work.begin(client) for client in ("ada", "eve")]
    with pytest.raises(Overloaded) as refusal:
        await (await work.begin("ada", within_s=0.01))
    assert refusal.value.own is own
    await work.end_all()
    await asyncio.gather(*requests)
    assert work.is_idle()


async def test_a_slot_of_a_request_that_goes_at_once_is_passed_on() -> None:
    work = Work(1)
    first, second, third = [await work.begin(n) for n in range(3)]
    work.end_oldest()
    while work.semaphore.waiting > 1:  # noqa: ASYNC110 -- until the second has it: one step a time
        await asyncio.sleep(0)
    second.cancel()
    await settle()
    await work.end_all()
    await asyncio.gather(first, third)
    assert work.is_idle()


async def test_a_slot_passes_by_a_request_that_has_just_gone() -> None:
    work = Work(1)
    first, second, third = [await work.begin("ada") for _ in range(3)]
    second.cancel()  # which it learns with the next step
    work.end_oldest()
    await settle()
    assert work.order == ["ada", "ada"]
    await work.end_all()
    await asyncio.gather(first, third)
    assert work.is_idle()


@given(
    clients=st.lists(st.integers(0, 3), max_size=30),
    gone=st.sets(st.integers(0, 29)),
    slots=st.integers(1, 4),
    share=st.integers(1, 4),
)
async def test_no_request_and_no_slot_is_lost(
    clients: list[int], gone: set[int], slots: int, share: int
) -> None:
    work = Work(slots, share=lambda _: share, queue=12, queue_share=lambda _: 6)
    requests = [await work.begin(client) for client in clients]
    for number in gone & set(range(len(requests))):
        requests[number].cancel()
    await settle()
    await work.end_all()
    for outcome in await asyncio.gather(*requests, return_exceptions=True):
        assert outcome is None or isinstance(outcome, Overloaded | asyncio.CancelledError)
    assert work.is_idle()
    assert work.most <= slots


# -- the same for threads ------------------------------------------------------------------------


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0)


def test_threads_get_the_slot_in_turn_by_client() -> None:
    semaphore, served = FairSemaphore(1), list[str]()

    def work(name: str) -> None:
        with semaphore.slot(name[0], within_s=LONG_S):
            served.append(name)

    with ThreadPoolExecutor(6) as threads, semaphore.slot("x", within_s=0):
        for number, name in enumerate(("a1", "a2", "a3", "b1", "c1", "b2")):
            threads.submit(work, name)
            until(lambda number=number: semaphore.waiting > number)  # type: ignore[misc]
        semaphore.release("x")
        until(lambda: len(served) == 6)
        semaphore.acquire("x", within_s=LONG_S)
    assert served == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_slot_that_comes_at_the_last_moment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    semaphore = FairSemaphore(1)

    class Late(Future[None]):
        def result(self, timeout: float | None = None) -> None:
            semaphore.release("x")
            raise TimeoutError

    monkeypatch.setattr(fair_semaphore, "Future", Late)
    semaphore.acquire("x", within_s=0)
    semaphore.acquire("a", within_s=0)
    semaphore.release("a")
    assert (semaphore.in_use, semaphore.waiting) == (0, 0)


def test_a_slot_comes_back_from_work_that_fails() -> None:
    semaphore = FairSemaphore(1)
    with semaphore.slot("a", within_s=0), pytest.raises(Overloaded) as refusal:
        semaphore.acquire("b", within_s=0.001)  # a thread that waits too long leaves
    with pytest.raises(ZeroDivisionError), semaphore.slot("a", within_s=0):
        raise ZeroDivisionError
    assert not refusal.value.own
    assert (semaphore.in_use, semaphore.waiting) == (0, 0)


def test_no_more_threads_work_than_there_are_slots() -> None:
    semaphore, most, now = FairSemaphore(3), [0], list[int]()

    def work(number: int) -> None:
        with semaphore.slot(number % 5, within_s=LONG_S):
            now.append(number)
            most.append(len(now))
            time.sleep(0)  # lets another thread in
            now.remove(number)

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(work, range(500)))
    assert max(most) <= 3
    assert (semaphore.in_use, semaphore.waiting) == (0, 0)
