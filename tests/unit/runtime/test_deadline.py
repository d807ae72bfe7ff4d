"""One deadline for all that a piece of work waits for."""

from __future__ import annotations

from math import inf
from time import monotonic

import pytest

from accounts import password_hashing
from accounts.exceptions import TooManyRequests
from runtime.deadline import at_least, left, longest_wait, unhurried, until, within
from runtime.fair_semaphore import FairSemaphore


def test_without_a_deadline_each_statement_has_its_own_limit() -> None:
    assert left() == inf
    assert longest_wait(6) == 6


def test_the_time_left_decreases_and_is_never_negative() -> None:
    with within(100):
        assert 99 < left() <= 100
        assert left(3) == 3
    with until(monotonic() - 1):
        assert left() == 0
    assert left() == inf


def test_an_inner_deadline_may_be_sooner_but_not_later() -> None:
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


def test_a_request_without_time_for_a_hash_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
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
