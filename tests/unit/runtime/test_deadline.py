"""One deadline for all that a piece of work waits for."""

from __future__ import annotations

from math import inf
from time import monotonic

import pytest

from accounts import password_hashing
from accounts.exceptions import TooManyRequests
from runtime.deadline import at_least, left, longest_wait, unhurried, until, within
from runtime.fair_semaphore import FairSemaphore


def test_where_nothing_is_said_there_is_no_end_but_that_of_each_statement() -> None:
    assert left() == inf
    assert longest_wait(6) == 6


def test_what_is_left_gets_less_and_is_never_below_zero() -> None:
    with within(100):
        assert 99 < left() <= 100
        assert left(3) == 3
    with until(monotonic() - 1):
        assert left() == 0
    assert left() == inf


def test_work_within_work_may_end_sooner_but_never_later() -> None:
    with within(10):
        with within(1):
            assert left() <= 1
        with within(100):
            assert left() <= 10
        assert 9 < left() <= 10


def test_there_is_time_to_clean_up() -> None:
    with within(0):
        with at_least(0.5):
            assert 0.4 < left() <= 0.5
        assert left() == 0


def test_a_command_may_let_a_statement_take_long() -> None:
    with unhurried():
        assert longest_wait(6) == inf
        with within(1):
            assert longest_wait(6) <= 1


def test_who_has_no_time_for_a_hash_does_not_wait_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_hashing, "_slots", FairSemaphore(1))
    began = monotonic()
    hurried = within(password_hashing.HASH_S / 2)
    with (
        password_hashing._slot(),
        hurried,
        pytest.raises(TooManyRequests),
        password_hashing._slot(),
    ):
        pass
    assert monotonic() - began < password_hashing.HASH_S / 2
