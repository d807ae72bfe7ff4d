"""A process that no longer does its job ends; one that was stopped, or is not at fault, stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from runtime.watchdog import (
    EXIT_CODE,
    CounterHeartbeat,
    HealthCheck,
    LoopHeartbeat,
    Over,
    Watchdog,
    stacks,
)


@dataclass
class World:
    """A watched process. Time passes only by checks."""

    now_s: float = 1000.0
    beats: bool = True
    is_deaf: bool = False
    probe_works: bool = True
    ends: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hearing = HealthCheck(
            "deaf", lambda: self.is_deaf, 15, self.control_probe, in_thread=self.run
        )
        self.watchdog = Watchdog(
            [HealthCheck.of_loop("the loop", self), self.hearing],
            now=lambda: self.now_s,
            end=self.ends.append,
            in_thread=self.run,
        )

    def has_beaten(self) -> bool:
        return self.beats

    def control_probe(self) -> None:
        if not self.probe_works:
            raise ConnectionRefusedError

    @staticmethod
    def run(act: Callable[[], None]) -> None:
        act()

    def checks(self, times: int, every_s: float = 1.0) -> int | None:
        """The number of the check that ended the process, None if it lives."""
        for number in range(1, times + 1):
            self.now_s += every_s
            self.watchdog.check()
            if self.ends:
                return number
        return None


@pytest.fixture
def world() -> World:
    return World()


# -- the loop ------------------------------------------------------------------------------------


def test_a_loop_that_stands_is_reported_after_5_s_and_its_process_ends_after_15(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.beats = False
    assert world.checks(4) is None
    assert caplog.records == []
    assert world.checks(1) is None
    assert "the loop stands still" in caplog.text
    assert world.checks(100) == 10
    assert world.ends == [EXIT_CODE]
    assert "exiting, to be started again: the loop stands still for 15 s" in caplog.text


def test_a_loop_that_goes_round_again_is_reported_too(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.beats = False
    world.checks(9)
    world.beats = True
    assert world.checks(1) is None
    assert "the loop stands still no longer, after 9 s" in caplog.text
    world.beats = False
    assert world.checks(14) is None  # counted from the beginning


def test_a_process_that_was_stopped_gets_time_to_go_round(world: World) -> None:
    """SIGSTOP for 45 s, again and again: the watchdog was stopped too."""
    for _ in range(10):
        world.beats = False
        assert world.checks(1, every_s=45) is None
        world.beats = True
        assert world.checks(1) is None


def test_a_busy_machine_on_which_checks_come_late_ends_no_process(world: World) -> None:
    world.beats = False
    assert world.checks(7, every_s=30) is None  # 210 s by the clock


# -- control probes ------------------------------------------------------------------------------


def test_a_deaf_process_ends_while_its_control_probe_works(world: World) -> None:
    assert world.checks(100) is None, "all is well"
    world.is_deaf = True
    assert world.checks(100) == 15
    assert world.ends == [EXIT_CODE]


def test_a_deaf_process_stays_while_its_control_probe_fails(world: World) -> None:
    world.is_deaf, world.probe_works = True, False
    assert world.checks(3600) is None
    assert world.hearing.is_serious()


@pytest.mark.parametrize("recovers", [True, False])
def test_a_deaf_process_has_time_to_reconnect_once_redis_is_back(
    world: World, recovers: bool
) -> None:
    world.is_deaf, world.probe_works = True, False
    world.checks(600)
    world.probe_works = True
    assert world.checks(9) is None
    world.is_deaf = not recovers
    ended = world.checks(100)
    assert ended is None if recovers else ended is not None and ended <= 7


def test_a_control_probe_without_an_answer_is_no_success() -> None:
    answers = threading.Event()
    threads = []

    def in_thread(act: Callable[[], None]) -> threading.Thread:
        threads.append(threading.Thread(target=act, daemon=True))
        threads[-1].start()
        return threads[-1]

    check = HealthCheck("deaf", lambda: True, 15, answers.wait, in_thread=in_thread)
    assert not any(check.check(1.0) for _ in range(100))
    assert len(threads) == 1  # they do not pile up
    answers.set()
    threads[0].join()


def test_a_check_without_a_control_probe_ends_the_process_after_its_tolerance() -> None:
    check = HealthCheck("not publishing", lambda: True, 15)
    assert [check.check(1.0) for _ in range(15)].index(True) == 14


# -- heartbeats ----------------------------------------------------------------------------------


def test_a_loop_beats_by_answering() -> None:
    asked: list[Callable[[], None]] = []
    heartbeat = LoopHeartbeat(asked.append)
    assert heartbeat.has_beaten()  # it was asked nothing yet
    assert not heartbeat.has_beaten()
    asked[0]()
    assert heartbeat.has_beaten()
    assert heartbeat.lag_s() >= 0


def test_a_closed_loop_is_no_longer_watched() -> None:
    def closed(_: Callable[[], None]) -> None:
        raise RuntimeError("Event loop is closed")

    with pytest.raises(Over):
        LoopHeartbeat(closed).has_beaten()


def test_a_counter_beats_when_it_changes() -> None:
    count = 0
    heartbeat = CounterHeartbeat(lambda: count)
    assert heartbeat.has_beaten()
    assert not heartbeat.has_beaten()
    count = 1
    assert heartbeat.has_beaten()


def test_stacks_show_lines_and_no_values() -> None:
    secret = "hunter2"
    done, ready = threading.Event(), threading.Event()

    def waits(given: str) -> None:
        ready.set()
        done.wait()

    thread = threading.Thread(target=waits, args=[secret], name="waiting")
    thread.start()
    ready.wait()
    try:
        [mine] = [stack for stack in stacks() if stack.startswith("waiting: ")]
    finally:
        done.set()
        thread.join()
    assert "test_watchdog.py" in mine
    assert " waits" in mine
    assert secret not in mine
