"""A clock that stands still until it is told to run, with timers that go by it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

START_MS = 1_800_000_000_000.0


@dataclass(eq=False)
class Timer:
    """As the handle that a loop gives."""

    due_ms: float
    act: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class FakeTime:
    """The clock, and so much of an event loop as sets timers."""

    now: float = START_MS  # milliseconds
    timers: list[Timer] = field(default_factory=list)

    def now_ms(self) -> float:
        return self.now

    def call_later(
        self, delay_s: float, act: Callable[[], object], *, context: object = None
    ) -> Timer:
        timer = Timer(self.now + delay_s * 1000, act)
        self.timers.append(timer)
        return timer

    def call_soon(self, act: Callable[[], object]) -> Timer:
        return self.call_later(0, act)

    def time(self) -> float:
        """The loop's clock, in seconds."""
        return self.now / 1000

    def run(self, ms: float) -> None:
        """Time passes, and each timer goes off when it is due."""
        end = self.now + ms
        for _ in itertools.count():
            self.timers = [timer for timer in self.timers if not timer.cancelled]
            timer = min(self.timers, key=lambda timer: timer.due_ms, default=None)
            if timer is None or timer.due_ms > end:
                break
            self.timers.remove(timer)
            self.now = max(self.now, timer.due_ms)
            timer.act()
        self.now = max(self.now, end)

    def freeze(self, ms: float) -> None:
        """Time passes while the loop does not come to its timers."""
        self.now += ms

    def step(self, ms: float) -> None:
        """The clock is set: the timers, which go by another clock, keep their distance."""
        self.now += ms
        for timer in self.timers:
            timer.due_ms += ms
