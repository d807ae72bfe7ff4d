"""Who waits is taken in turn, by who they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from runtime.fair_semaphore import FairTurns, QueueFull, TookTooLong

LONG_S = 30.0


class Crowd:
    """Callers, each in a thread, who come in the order in which they are told to."""

    def __init__(self, turns: FairTurns) -> None:
        self.turns, self.served = turns, list[str]()
        self._threads = ThreadPoolExecutor(50)

    def comes(self, name: str, waiting: float = 100) -> Future[None]:
        """The first letter of the name says who it is."""
        before = self.waiting()
        call = self._threads.submit(self._call, name, waiting)
        until(lambda: call.done() or self.waiting() > before)
        return call

    def waiting(self) -> int:
        return sum(map(len, self.turns._queues.values()))

    def _call(self, name: str, waiting: float) -> None:
        with self.turns.of(name[0], waiting=waiting, within_s=LONG_S):
            self.served.append(name)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0)


@pytest.fixture
def turns() -> FairTurns:
    return FairTurns(1)


@pytest.fixture
def crowd(turns: FairTurns) -> Crowd:
    return Crowd(turns)


def test_places_go_round_between_those_who_wait(turns: FairTurns, crowd: Crowd) -> None:
    with turns.of("x", waiting=0, within_s=0):
        calls = [crowd.comes(name) for name in ("a1", "a2", "a3", "b1", "c1", "b2")]
    for call in calls:
        call.result(LONG_S)
    assert crowd.served == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_queue_that_is_full_refuses_at_once_and_the_others_take_their_places(
    turns: FairTurns, crowd: Crowd
) -> None:
    with turns.of("x", waiting=0, within_s=0):
        calls = [crowd.comes(name, waiting=2) for name in ("a1", "a2")]
        with pytest.raises(QueueFull):
            crowd.comes("a3", waiting=2).result(LONG_S)
        calls.append(crowd.comes("b1", waiting=2))
    for call in calls:
        call.result(LONG_S)
    assert crowd.served == ["a1", "b1", "a2"]
    crowd.comes("a4", waiting=0).result(LONG_S)


def test_who_waits_too_long_leaves_the_queue(turns: FairTurns, crowd: Crowd) -> None:
    with turns.of("x", waiting=0, within_s=0):
        later = crowd.comes("a2")
        with pytest.raises(TookTooLong), turns.of("b", waiting=1, within_s=0.001):
            pytest.fail("there was no place")
    later.result(LONG_S)
    assert not turns._queues
    assert turns._free == 1


def test_a_place_that_comes_at_the_last_moment_is_taken(turns: FairTurns) -> None:
    with turns.of("x", waiting=0, within_s=0):
        place = turns._place_or_queue("a", 1)
        assert place is not None
    assert not turns._withdrawn("a", place), "it was handed over meanwhile"
    turns._pass_on()
    assert turns._free == 1


def test_a_place_comes_back_from_work_that_fails(turns: FairTurns) -> None:
    with pytest.raises(ZeroDivisionError), turns.of("a", waiting=0, within_s=0):
        raise ZeroDivisionError
    with turns.of("a", waiting=0, within_s=0):
        pass


def test_no_more_than_so_many_at_a_time() -> None:
    turns, most, now = FairTurns(3), [0], list[int]()

    def work(number: int) -> None:
        with turns.of(number % 5, waiting=100, within_s=LONG_S):
            now.append(number)
            most.append(len(now))
            time.sleep(0)  # lets another thread in
            now.remove(number)

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(work, range(500)))
    assert max(most) <= 3
    assert (turns._free, len(turns._queues)) == (3, 0)
