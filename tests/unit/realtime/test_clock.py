"""The database's clock, as it is reckoned here: inside its bounds, and followed where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.clock import DRIFT, EPOCH, DatabaseClock

ROUND_MS = 2_500.0
START_MS = 1_800_000_000_000.0


@dataclass
class Machines:
    """Ours and the database's. `answers_ms` are the ways there and back of the next questions."""

    here_ms: float = 5_000_000.0  # what our monotonic clock shows
    ahead_ms: float = START_MS  # the database's clock, less ours
    drift: float = 0.0  # how much faster the database's clock goes
    there_and_back_ms: tuple[float, float] = (0.1, 0.1)
    asked: int = 0

    def monotonic(self) -> float:
        return self.here_ms / 1000

    def passes(self, ms: float) -> None:
        self.here_ms += ms
        self.ahead_ms += ms * self.drift

    def ask(self) -> datetime:
        self.asked += 1
        there, back = self.there_and_back_ms
        self.passes(there)
        answer = EPOCH + timedelta(microseconds=int((self.here_ms + self.ahead_ms) * 1000))
        self.passes(back)
        return answer

    def off_by(self, clock: DatabaseClock) -> float:
        """Milliseconds by which the reckoning is wrong at this moment."""
        return clock.now_ms() - (self.here_ms + self.ahead_ms)


@pytest.fixture
def machines() -> Machines:
    return Machines()


@pytest.fixture
def clock(machines: Machines) -> DatabaseClock:
    return DatabaseClock(machines.monotonic, machines.ask)


def test_a_quick_answer_is_enough(machines: Machines, clock: DatabaseClock) -> None:
    clock.measure()
    assert machines.asked == 1
    assert abs(machines.off_by(clock)) < 0.11


def test_after_a_slow_answer_two_more_are_asked_for(
    machines: Machines, clock: DatabaseClock
) -> None:
    machines.there_and_back_ms = (1.0, 30.0)
    clock.measure()
    assert machines.asked == 3


def test_an_answer_that_was_long_on_its_way_back_moves_nothing(
    machines: Machines, clock: DatabaseClock
) -> None:
    clock.measure()
    machines.there_and_back_ms = (0.1, 50.0)  # its middle is wrong by 25 ms
    for _ in range(8):
        machines.passes(ROUND_MS)
        clock.measure()
        assert abs(machines.off_by(clock)) < 0.3 + 8 * ROUND_MS * DRIFT


@pytest.mark.parametrize("step_ms", [-3_600_000.0, -700.0, 700.0, 86_400_000.0])
def test_a_step_of_the_databases_clock_is_followed_at_once(
    machines: Machines, clock: DatabaseClock, step_ms: float
) -> None:
    assert clock.measure() == 0
    machines.passes(ROUND_MS)
    machines.ahead_ms += step_ms
    assert clock.measure() == pytest.approx(step_ms, abs=1)
    assert abs(machines.off_by(clock)) < 0.11
    machines.passes(ROUND_MS)
    assert clock.measure() == 0


def test_a_clock_that_is_slewed_faster_than_clocks_drift_is_followed(
    machines: Machines, clock: DatabaseClock
) -> None:
    machines.drift = 0.0005  # as fast as NTP slews
    for _ in range(50):
        clock.measure()
        assert abs(machines.off_by(clock)) < 0.5
        machines.passes(ROUND_MS)


def test_without_an_answer_of_the_database_the_offset_stays(machines: Machines) -> None:
    def silent() -> datetime:
        raise OSError("gone")

    clock = DatabaseClock(machines.monotonic, machines.ask)
    clock.measure()
    clock._ask = silent
    with pytest.raises(OSError, match="gone"):
        clock.measure()
    assert abs(machines.off_by(clock)) < 0.11


ways = st.floats(0.01, 200.0)


@given(
    st.lists(st.tuples(ways, ways, st.floats(0, 10_000)), min_size=1, max_size=30),
    st.floats(-DRIFT / 2, DRIFT / 2),
)
def test_the_clock_is_off_by_at_most_half_the_quickest_answer_and_the_drift(
    answers: list[tuple[float, float, float]], drift: float
) -> None:
    machines = Machines(drift=drift)
    clock = DatabaseClock(machines.monotonic, machines.ask)
    bounds = []  # of each answer: how far off it can have been, and when
    for there, back, pause in answers:
        machines.there_and_back_ms = (there, back)
        assert clock.measure() == 0  # nothing was stepped
        bounds.append(((there + back) / 2 + 0.01, machines.here_ms))
        allowed = min(half + 2 * DRIFT * (machines.here_ms - at) for half, at in bounds)
        assert abs(machines.off_by(clock)) <= allowed
        machines.passes(pause)
