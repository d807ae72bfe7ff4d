"""Keeps parts running: what dies is started again, after a pause that grows if it keeps dying.

What stands is killed first. It is asked now and then, by a thread, and noes are counted, not
seconds: after a laptop slept all of them look dead once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from local.console import Warnings, complain
from local.part import Part, PartFailed

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds
STEADY = 30.0  # seconds after which a part counts as healthy again
GIVES_UP_AFTER = 3  # starts of a part that never became ready
LOOK_EVERY = 0.1  # seconds
ASK_EVERY = 10.0  # seconds
MOST_NOES = 6  # in a row: it has stood for a minute


@dataclass
class Watched:
    part: Part
    on_start: Callable[[], None]
    failures: int = 0
    started: float = field(default_factory=time.monotonic)
    starts_again_at: float | None = None
    asking: bool = False
    ask_at: float = 0.0
    noes: int = 0
    was_well: bool = False  # since its start: who is slow to begin is not blamed

    def look(self, now: float) -> None:
        if self.starts_again_at is not None:
            if now >= self.starts_again_at:
                self._start_again(now)
        elif not self.part.is_alive():
            self._plan_restart(now)
        else:
            if now - self.started > STEADY:
                self.failures = 0
            self._ask(now)

    def _ask(self, now: float) -> None:
        if self.part.is_well is None or self.asking or now < self.ask_at:
            return
        self.ask_at, self.asking = now + ASK_EVERY, True
        threading.Thread(
            target=self._ask_now, args=(self.part.is_well, self.part.pid), daemon=True
        ).start()

    def _ask_now(self, is_well: Callable[[], bool], pid: int | None) -> None:
        well = is_well()
        self.asking = False
        if self.part.pid != pid:
            return  # another one by now
        if well:
            self.noes, self.was_well = 0, True
        elif self.was_well:
            self.noes += 1
            if self.noes >= MOST_NOES:
                complain(self.part.explain("stands still, killing it", lines=6))
                self.part.kill()

    def _plan_restart(self, now: float) -> None:
        pause = PAUSES[min(self.failures, len(PAUSES) - 1)]
        self.failures += 1
        self.starts_again_at = now + pause
        reason = self.part.exit_reason()
        complain(self.part.explain(f"stopped ({reason}), starting again in {pause:g} s", lines=6))

    def _start_again(self, now: float) -> None:
        self.starts_again_at = None
        self.started = now
        self.noes, self.was_well = 0, False
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
