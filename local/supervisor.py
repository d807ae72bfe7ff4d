"""Keeps parts running: starts one again that has died, and kills one that no longer responds.

The pause before a restart grows while a part keeps dying. Health checks run in a thread. Failed
checks are counted, not seconds: after a laptop has slept, every part fails one check.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from local.console import Warnings, complain
from local.part import Part, PartFailed

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds
STEADY = 30.0  # seconds after which a part counts as healthy again
MAX_STARTS = 3  # of a part that never became ready
ROUND_INTERVAL_S = 0.1
CHECK_INTERVAL_S = 10.0
MAX_FAILED_CHECKS = 6  # in a row: a minute without a response


@dataclass
class Watched:
    part: Part
    on_start: Callable[[], None]
    failures: int = 0
    started: float = field(default_factory=time.monotonic)
    starts_again_at: float | None = None
    checking: bool = False
    next_check_at: float = 0.0
    failed_checks: int = 0
    was_healthy: bool = False  # since its start: before, it may be slow

    def check(self, now: float) -> None:
        if self.starts_again_at is not None:
            if now >= self.starts_again_at:
                self._start_again(now)
        elif not self.part.is_alive():
            self._plan_restart(now)
        else:
            if now - self.started > STEADY:
                self.failures = 0
            self._check_health(now)

    def _check_health(self, now: float) -> None:
        if self.part.is_healthy is None or self.checking or now < self.next_check_at:
            return
        self.next_check_at, self.checking = now + CHECK_INTERVAL_S, True
        arguments = (self.part.is_healthy, self.part.pid)
        threading.Thread(target=self._take_result, args=arguments, daemon=True).start()

    def _take_result(self, is_healthy: Callable[[], bool], pid: int | None) -> None:
        healthy = is_healthy()
        self.checking = False
        if self.part.pid != pid:
            return  # it was replaced meanwhile
        if healthy:
            self.failed_checks, self.was_healthy = 0, True
        elif self.was_healthy:
            self.failed_checks += 1
            if self.failed_checks >= MAX_FAILED_CHECKS:
                complain(self.part.explain("does not respond, killing it", lines=6))
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
        self.failed_checks, self.was_healthy = 0, False
        self.part.start()
        self.on_start()


class Supervisor:
    def __init__(self, parts: Sequence[Part], on_start: Callable[[], None]) -> None:
        self._watched = [Watched(part, on_start) for part in parts]
        self._warnings = [Warnings(part.name, part.log) for part in parts if part.shows_warnings]

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Supervise the parts until the condition holds; for ever if it never does."""
        while not until():
            now = time.monotonic()
            for watched in self._watched:
                watched.check(now)
            for warnings in self._warnings:
                warnings.pass_on()
            time.sleep(ROUND_INTERVAL_S)

    def give_up_if_hopeless(self) -> None:
        """For the first start. Raises `PartFailed` for a part that keeps dying."""
        for watched in self._watched:
            if watched.failures >= MAX_STARTS:
                raise PartFailed(watched.part.explain("does not start"))
