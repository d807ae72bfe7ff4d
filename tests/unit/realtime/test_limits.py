"""How much one socket may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.protocol.limits import (
    BAD_FRAMES,
    BAD_FRAMES_WINDOW_S,
    BURST,
    FRAMES_PER_S,
    BadFrames,
    frame_budget,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_passes_and_not_one_frame_more(clock: Clock) -> None:
    budget = frame_budget(clock)
    assert [budget.spend() for _ in range(BURST + 1)] == [True] * BURST + [False]


def test_after_a_burst_so_many_frames_pass_as_the_contract_allows(clock: Clock) -> None:
    budget = frame_budget(clock)
    while budget.spend():
        pass
    clock.now += 10
    passed = 0
    while budget.spend():
        passed += 1
    assert passed == 20  # in 10 s


def test_a_long_silence_saves_up_no_more_than_one_burst(clock: Clock) -> None:
    budget = frame_budget(clock)
    clock.now += 86_400
    assert sum(budget.spend() for _ in range(1_000)) == BURST


def test_a_charge_leaves_less_of_the_budget(clock: Clock) -> None:
    budget = frame_budget(clock)
    budget.charge(BURST - 1)
    assert [budget.spend() for _ in range(2)] == [True, False]
    budget.charge(BURST)  # never more than there was
    clock.now += 1 / FRAMES_PER_S
    assert [budget.spend() for _ in range(2)] == [True, False]


@given(st.lists(st.floats(0, 30), max_size=200))
def test_never_more_than_a_burst_and_the_rate(pauses: list[float]) -> None:
    clock = Clock()
    began, budget, passed = clock.now, frame_budget(clock), 0
    for pause in pauses:
        clock.now += pause
        passed += budget.spend()
    assert passed <= BURST + (clock.now - began) * FRAMES_PER_S + 1e-6


def test_the_fifth_bad_frame_within_a_minute_is_one_too_many(clock: Clock) -> None:
    bad = BadFrames(clock)
    said = []
    for _ in range(BAD_FRAMES):
        said.append(bad.one_more())
        clock.now += BAD_FRAMES_WINDOW_S / BAD_FRAMES
    assert said == [False, False, False, False, True]


def test_bad_frames_that_are_a_minute_apart_are_forgiven(clock: Clock) -> None:
    bad = BadFrames(clock)
    for _ in range(20):
        assert not bad.one_more()
        clock.now += BAD_FRAMES_WINDOW_S / (BAD_FRAMES - 1)
