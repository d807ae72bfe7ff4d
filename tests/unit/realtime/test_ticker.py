"""Each device gets a tick at each whole second of the time left."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from realtime.delivery.tick import Tick, Ticks
from realtime.delivery.ticker import MAX_BATCH, QUANTUM, Ticker
from realtime.stats import stats
from tests.support.fake_time import START_MS, FakeTime

SESSION = 7


@dataclass
class Screen:
    """A watcher that records its ticks. `cost_ms`: how long writing to it takes."""

    time: FakeTime
    tick_every_ms: int = 1_000
    cost_ms: float = 0.0
    ticks: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def put_tick(self, tick: Tick, now: float) -> bool:
        assert now <= self.time.time()
        self.ticks.append((self.time.now, json.loads(tick.text)))
        self.time.freeze(self.cost_ms)
        return True

    @property
    def remaining(self) -> list[int]:
        return [tick["remaining_ms"] for _, tick in self.ticks]

    def lateness(self, ends_at_ms: float) -> list[float]:
        return [at - (ends_at_ms - tick["remaining_ms"]) for at, tick in self.ticks]


def ticker_at(time: FakeTime) -> Ticker:
    def send(screens: Any, tick: Tick, now: float) -> int:
        return sum(screen.put_tick(tick, now) for screen in screens)

    return Ticker(time.now_ms, send)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr("asyncio.get_running_loop", lambda: fake)
    return fake


@pytest.fixture
def ticker(time: FakeTime) -> Ticker:
    return ticker_at(time)


@pytest.fixture
def screen(time: FakeTime) -> Screen:
    return Screen(time)


def whole_seconds(first: int, last: int = 1) -> list[int]:
    return [n * 1_000 for n in range(first, last - 1, -1)]


def in_ms(length: int) -> int:
    return int(START_MS) + length


# -- which ticks, and when -----------------------------------------------------------------------


def test_a_tick_says_which_state_of_which_session_it_counts(
    ticker: Ticker, time: FakeTime, screen: Screen
) -> None:
    ticker.follow(SESSION, 12, in_ms(1_250), [screen])
    time.run(3_000)
    assert not [timer for timer in time.timers if not timer.cancelled], "then the ticker rests"
    [(_, tick)] = screen.ticks
    assert tick == {
        "type": "session.tick",
        "session": SESSION,
        "version": 12,
        "remaining_ms": 1_000,
        "server_time": "2027-01-15T08:00:00.250000Z",
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    began=st.integers(0, 5_000),
    lengths=st.lists(st.integers(-2_000, 6_000), min_size=1, max_size=12),
)
def test_every_session_gets_its_seconds_whatever_else_is_watched(
    monkeypatch: pytest.MonkeyPatch, began: int, lengths: list[int]
) -> None:
    time = FakeTime(START_MS + began)
    monkeypatch.setattr("asyncio.get_running_loop", lambda: time)
    ticker = ticker_at(time)
    screens = []
    for session, length in enumerate(lengths):
        screens.append((length, Screen(time)))
        ticker.follow(session, 1, in_ms(began + length), [screens[-1][1]])
    time.run(8_000)
    for length, screen in screens:
        # A second that came less than one slot before is still sent.
        least, most = max(0, length - 1) // 1_000, max(0, length + QUANTUM) // 1_000
        assert screen.remaining in (whole_seconds(least), whole_seconds(most))
        assert all(0 <= late <= QUANTUM for late in screen.lateness(in_ms(began + length)))


# -- how often -----------------------------------------------------------------------------------


def test_a_device_may_want_fewer_ticks_or_none(ticker: Ticker, time: FakeTime) -> None:
    watchers = [Screen(time, tick_every_ms=every_ms) for every_ms in (0, 1_000, 5_000)]
    ticker.follow(SESSION, 2, in_ms(17_300), watchers)
    time.run(20_000)
    assert [w.remaining for w in watchers] == [[], whole_seconds(17), [15_000, 10_000, 5_000]]


def test_a_device_may_change_its_rate_while_it_watches(
    ticker: Ticker, time: FakeTime, screen: Screen
) -> None:
    ticker.follow(SESSION, 2, in_ms(6_500), [screen])
    for every_ms in (1_000, 0, 1_000):
        screen.tick_every_ms = every_ms
        time.run(2_000)
    assert screen.remaining == [6_000, 5_000, 2_000, 1_000]


def test_a_tick_is_encoded_once_for_all_devices(
    ticker: Ticker, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    real = Ticks.tick

    def tick(ticks: Ticks, remaining_ms: int) -> Tick:
        encoded.append(remaining_ms)
        return real(ticks, remaining_ms)

    monkeypatch.setattr(Ticks, "tick", tick)
    ticker.follow(SESSION, 2, in_ms(3_500), [Screen(time) for _ in range(10)])
    time.run(5_000)
    assert encoded == whole_seconds(3)


# -- changes of what is watched ------------------------------------------------------------------


def test_ticks_of_a_forgotten_session_stop_at_once(
    ticker: Ticker, time: FakeTime, screen: Screen
) -> None:
    ticker.follow(SESSION, 2, in_ms(5_001), [screen])
    time.run(1_001)
    for _ in range(2):
        ticker.forget(SESSION)
    time.run(10_000)
    assert screen.remaining == [5_000]


def test_when_the_deadline_moves_the_ticks_move_with_it(
    ticker: Ticker, time: FakeTime, screen: Screen
) -> None:
    ticker.follow(SESSION, 2, in_ms(3_200), [screen])
    time.run(1_500)
    later = in_ms(6_900)
    ticker.follow(SESSION, 3, later, [screen])
    time.run(10_000)
    assert screen.remaining == [3_000, 2_000, *whole_seconds(5)]
    assert {tick["version"] for _, tick in screen.ticks[2:]} == {3}
    assert all(0 <= late <= QUANTUM for late in screen.lateness(later)[2:])


def test_an_older_version_is_ignored(ticker: Ticker, time: FakeTime, screen: Screen) -> None:
    ends_at = in_ms(4_500)
    ticker.follow(SESSION, 5, ends_at, [screen])
    ticker.follow(SESSION, 4, in_ms(9_000), [screen])
    time.run(10_000)
    assert screen.remaining == whole_seconds(4)
    assert all(0 <= late <= QUANTUM for late in screen.lateness(ends_at))


def test_sessions_that_come_and_go_take_no_tick_from_the_others(
    ticker: Ticker, time: FakeTime, screen: Screen
) -> None:
    ticker.follow(SESSION, 2, in_ms(9_777), [screen])
    for n in range(1, 400):
        ticker.follow(SESSION + n, 1, in_ms(5_000 + n * 37), [])
        time.run(25)
        if n % 2:
            ticker.forget(SESSION + n)
    assert screen.remaining == whole_seconds(9)


# -- when the process is slow, or the clock is set -----------------------------------------------


def test_a_short_overrun_loses_no_tick_and_a_long_one_only_the_seconds_that_passed(
    ticker: Ticker, time: FakeTime, screen: Screen
) -> None:
    short = Screen(time)
    ticker.follow(SESSION + 1, 2, in_ms(3_400), [short])
    time.run(300)
    time.freeze(700)
    time.run(4_000)
    assert short.remaining == whole_seconds(3)
    skipped_before = stats.seconds_skipped
    ends_at = in_ms(15_400)
    ticker.follow(SESSION, 2, ends_at, [screen])
    time.run(2_500)
    time.freeze(3_000)
    time.run(10_000)
    # 7 and 6 are gone. 5 has come just before, and is what a device should show.
    assert screen.remaining == [10_000, 9_000, 8_000, *whole_seconds(5)]
    assert stats.seconds_skipped - skipped_before == 2
    assert [late for late in screen.lateness(ends_at) if late > QUANTUM] == [100]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1_500), st.integers(0, 2_500)), max_size=8))
@example([(2_500, 1_905)])  # comes back within the slot of a second that was just sent
def test_no_second_is_sent_twice_or_long_after_however_often_the_loop_stalls(
    monkeypatch: pytest.MonkeyPatch, stumbles: list[tuple[int, int]]
) -> None:
    time = FakeTime()
    monkeypatch.setattr("asyncio.get_running_loop", lambda: time)
    ticker, screen = ticker_at(time), Screen(time)
    ends_at = in_ms(20_400)
    ticker.follow(SESSION, 2, ends_at, [screen])
    for runs, freezes in stumbles:
        time.run(runs)
        time.freeze(freezes)
    time.run(25_000)
    assert screen.remaining == sorted(set(screen.remaining), reverse=True)
    assert all(0 <= late <= 1_000 for late in screen.lateness(ends_at))


def test_a_timer_that_goes_off_a_little_early_loses_no_second(
    ticker: Ticker, time: FakeTime, screen: Screen
) -> None:
    """Loops round their timers; here the slot ends between two readings of the clock."""
    ticker.follow(SESSION, 2, in_ms(30_003), [screen])
    time.run(1_100)
    looks = [ticker._next_ms + 0.02, ticker._next_ms - 0.05]
    ticker._now_ms = lambda: looks.pop() if looks else time.now
    time.now = ticker._next_ms + 0.02
    ticker._turn()
    assert looks == []
    time.run(1_000)
    assert screen.remaining == whole_seconds(30, 27)


def test_a_crowd_in_one_slot_and_a_slow_one_cost_the_neighbours_no_tick(
    ticker: Ticker, time: FakeTime
) -> None:
    slow = [Screen(time, cost_ms=0.5) for _ in range(1_000)]
    neighbours = [Screen(time) for _ in range(100)]
    for n, screen in enumerate(slow):
        ticker.follow(n, 1, in_ms(5_500), [screen])
    for n, screen in enumerate(neighbours):
        ticker.follow(10_000 + n, 1, in_ms(5_001 + n * 10), [screen])
    time.run(10_000)
    assert {tuple(screen.remaining) for screen in slow} == {tuple(whole_seconds(5))}
    assert {tuple(screen.remaining) for screen in neighbours} == {tuple(whole_seconds(5))}


def test_a_failing_watcher_takes_no_later_tick_from_the_others(
    ticker: Ticker, time: FakeTime, screen: Screen
) -> None:
    class Broken(Screen):
        def put_tick(self, tick: Tick, now: float) -> bool:
            raise RuntimeError("broken")

    ticker.follow(SESSION, 2, in_ms(5_400), [screen])
    ticker.follow(SESSION + 1, 2, in_ms(5_600), [Broken(time)])
    time.run(10_000)
    assert screen.remaining == whole_seconds(5)


# -- many sockets --------------------------------------------------------------------------------


@pytest.fixture
def crowd(time: FakeTime) -> list[Screen]:
    """Three batches and a bit, a millisecond for ten sockets."""
    return [Screen(time, cost_ms=0.1) for _ in range(3 * MAX_BATCH + 7)]


def test_the_loop_does_something_else_between_two_batches(
    ticker: Ticker, time: FakeTime, crowd: list[Screen]
) -> None:
    sent = []

    def look() -> None:
        sent.append(sum(bool(screen.ticks) for screen in crowd))
        if sent[-1] < len(crowd):
            time.call_soon(look)

    ticker.follow(SESSION, 2, in_ms(1_004), crowd)
    time.call_later(0.012, look)
    time.run(900)
    assert sent == [MAX_BATCH, 2 * MAX_BATCH, 3 * MAX_BATCH, len(crowd)]


def test_many_small_sessions_of_one_slot_are_sent_in_batches(
    ticker: Ticker, time: FakeTime, crowd: list[Screen]
) -> None:
    for n, screen in enumerate(crowd):
        ticker.follow(n, 2, in_ms(1_004), [screen])
    time.run(11)
    assert sum(bool(screen.ticks) for screen in crowd) == MAX_BATCH
    time.run(900)
    assert all(screen.remaining == [1_000] for screen in crowd)


def test_a_session_that_changes_between_two_batches_sends_no_old_tick(
    ticker: Ticker, time: FakeTime, crowd: list[Screen]
) -> None:
    ticker.follow(SESSION, 2, in_ms(9_004), crowd)
    time.run(11)
    ticker.forget(SESSION)
    time.run(5_000)
    assert sum(len(screen.ticks) for screen in crowd) == MAX_BATCH


def test_a_crowd_that_takes_more_than_a_second_gets_the_newest_second(
    ticker: Ticker, time: FakeTime, crowd: list[Screen]
) -> None:
    for screen in crowd:
        screen.cost_ms = 3  # over two seconds for all of them
    ends_at = in_ms(20_004)
    ticker.follow(SESSION, 2, ends_at, crowd)
    time.run(30_000)
    for screen in crowd:
        assert screen.remaining == sorted(set(screen.remaining), reverse=True)
        assert all(0 <= late <= 1_000 + MAX_BATCH * 3 for late in screen.lateness(ends_at))
    assert crowd[0].ticks


@pytest.mark.parametrize("step_s", [-3_600, -30, 30])
def test_the_ticks_follow_a_step_of_the_clock(
    ticker: Ticker, time: FakeTime, screen: Screen, step_s: int
) -> None:
    """The first measurement may find this machine's clock wrong by any length."""
    ends_at = in_ms(7_200_400)
    ticker.follow(SESSION, 2, ends_at, [screen])
    time.run(2_000)
    time.step(step_s * 1_000)
    heard = len(screen.ticks)
    time.run(5_000)
    assert len(screen.ticks) - heard in {4, 5}
    assert all(0 <= late <= QUANTUM for late in screen.lateness(ends_at))
