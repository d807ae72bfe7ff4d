"""Who no longer does the job goes; who was only stopped, or can do nothing about it, stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from runtime.watchdog import EXIT_CODE, Ailment, CountingHeart, LoopHeart, Over, Watchdog, stacks


@dataclass
class World:
    """A process that is watched. Time passes only by looks."""

    now_s: float = 1000.0
    beats: bool = True
    is_ill: bool = False
    newcomer_works: bool = True
    ends: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ailment = Ailment("deaf", lambda: self.is_ill, 15, self.newcomer, self.at_once)
        self.dog = Watchdog(
            {"the loop": self},
            [self.ailment],
            now=lambda: self.now_s,
            end=self.ends.append,
            in_thread=self.at_once,
        )

    def has_beaten(self) -> bool:
        return self.beats

    def newcomer(self) -> None:
        if not self.newcomer_works:
            raise ConnectionRefusedError

    @staticmethod
    def at_once(act: Callable[[], None]) -> None:
        act()

    def looks(self, times: int, every_s: float = 1.0) -> int | None:
        """The number of the look that ended the process, None if it lives."""
        for number in range(1, times + 1):
            self.now_s += every_s
            self.dog.look()
            if self.ends:
                return number
        return None


@pytest.fixture
def world() -> World:
    return World()


# -- a loop that stands --------------------------------------------------------------------------


def test_a_loop_that_goes_round_is_left_alone(world: World) -> None:
    assert world.looks(100) is None


def test_a_loop_that_stands_is_reported_after_5_s_and_ends_after_15(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.beats = False
    assert world.looks(4) is None
    assert caplog.records == []
    assert world.looks(1) is None
    assert "the loop stands still" in caplog.text
    assert world.looks(100) == 10
    assert world.ends == [EXIT_CODE]
    assert "going, to be started again: the loop stands still for 15 s" in caplog.text


def test_a_loop_that_comes_round_says_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.beats = False
    world.looks(9)
    world.beats = True
    assert world.looks(1) is None
    assert "the loop goes on, after 9 s" in caplog.text
    world.beats = False
    assert world.looks(14) is None  # from the beginning


def test_who_was_stopped_himself_gets_time_to_come_round(world: World) -> None:
    """SIGSTOP for 45 s, again and again: the dog stood too."""
    for _ in range(10):
        world.beats = False
        assert world.looks(1, every_s=45) is None
        world.beats = True
        assert world.looks(1) is None


def test_a_busy_machine_on_which_looks_come_late_is_no_reason(world: World) -> None:
    world.beats = False
    assert world.looks(7, every_s=30) is None  # 210 s by the clock


# -- what this process cannot do -----------------------------------------------------------------


def test_who_is_deaf_while_a_newcomer_hears_goes(world: World) -> None:
    world.looks(10)
    world.is_ill = True
    assert world.looks(100) == 15
    assert world.ends == [EXIT_CODE]


def test_while_nobody_hears_nobody_goes(world: World) -> None:
    world.is_ill, world.newcomer_works = True, False
    assert world.looks(3600) is None
    assert world.ailment.is_serious()


def test_who_heals_by_himself_once_it_is_back_stays(world: World) -> None:
    world.is_ill, world.newcomer_works = True, False
    world.looks(600)
    world.newcomer_works = True
    assert world.looks(9) is None  # the time to connect anew
    world.is_ill = False
    assert world.looks(100) is None


def test_who_stays_deaf_once_it_is_back_goes(world: World) -> None:
    world.is_ill, world.newcomer_works = True, False
    world.looks(600)
    world.newcomer_works = True
    ended = world.looks(100)
    assert ended is not None
    assert 10 <= ended <= 16


def test_a_newcomer_that_gets_no_answer_proves_nothing(world: World) -> None:
    answers = threading.Event()
    threads = []

    def in_thread(act: Callable[[], None]) -> threading.Thread:
        threads.append(threading.Thread(target=act, daemon=True))
        threads[-1].start()
        return threads[-1]

    ailment = Ailment("deaf", lambda: True, 15, answers.wait, in_thread)
    assert not any(ailment.look(1.0) for _ in range(100))
    assert len(threads) == 1  # none piles up
    answers.set()
    threads[0].join()


def test_what_needs_no_newcomer_is_the_process_s_own(world: World) -> None:
    ailment = Ailment("not publishing", lambda: True, 15)
    assert [ailment.look(1.0) for _ in range(15)].index(True) == 14


# -- hearts --------------------------------------------------------------------------------------


def test_a_loop_beats_by_answering() -> None:
    asked: list[Callable[[], None]] = []
    heart = LoopHeart(asked.append)
    assert heart.has_beaten()  # nothing was asked yet
    assert not heart.has_beaten()
    asked[0]()
    assert heart.has_beaten()
    assert heart.lag_s() >= 0


def test_a_loop_that_is_closed_is_no_longer_watched() -> None:
    def closed(_: Callable[[], None]) -> None:
        raise RuntimeError("Event loop is closed")

    with pytest.raises(Over):
        LoopHeart(closed).has_beaten()


def test_a_count_beats_when_it_changes() -> None:
    count = 0
    heart = CountingHeart(lambda: count)
    assert heart.has_beaten()
    assert not heart.has_beaten()
    count = 1
    assert heart.has_beaten()


def test_stacks_say_where_and_not_with_what() -> None:
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
