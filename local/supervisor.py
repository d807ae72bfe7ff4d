"""Keeps parts running: what dies is started again, after a pause that grows if it keeps dying."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from local.console import Warnings, complain
from local.part import Part, PartFailed

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds
STEADY = 30.0  # seconds after which a part counts as healthy again
GIVES_UP_AFTER = 3  # starts of a part that never became ready
LOOK_EVERY = 0.1  # seconds


@dataclass
class Watched:
    part: Part
    on_start: Callable[[], None]
    failures: int = 0
    started: float = field(default_factory=time.monotonic)
    starts_again_at: float | None = None

    def look(self, now: float) -> None:
        if self.starts_again_at is not None:
            if now >= self.starts_again_at:
                self._start_again(now)
        elif not self.part.is_alive():
            self._plan_restart(now)
        elif now - self.started > STEADY:
            self.failures = 0

    def _plan_restart(self, now: float) -> None:
        pause = PAUSES[min(self.failures, len(PAUSES) - 1)]
        self.failures += 1
        self.starts_again_at = now + pause
        reason = self.part.exit_reason()
        complain(self.part.explain(f"stopped ({reason}), starting again in {pause:g} s", lines=6))

    def _start_again(self, now: float) -> None:
        self.starts_again_at = None
        self.started = now
        self.part.start()
        self.on_start()


class Supervisor:
    def __init__(self, parts: Sequence[Part], on_start: Callable[[], None]) -> None:
        self._watched = [Watched(part, on_start) for part in parts]
        self._warnings = [Warnings(part.name, part.log) for part in parts if part.shows_warnings]

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Look after the parts until that is true; for ever if it never is."""
        while not until():
            now = time.monotonic()
            for watched in self._watched:
                watched.look(now)
            for warnings in self._warnings:
                warnings.pass_on()
            time.sleep(LOOK_EVERY)

    def give_up_if_hopeless(self) -> None:
        """For the first start: what never comes up is not tried for ever."""
        for watched in self._watched:
            if watched.failures >= GIVES_UP_AFTER:
                raise PartFailed(watched.part.explain("does not start"))
