"""Ends a process that no longer does its job, so that its supervisor starts it again.

    heartbeat      shows that a loop goes round
    health check   something that must work. Where it fails, a control probe does the same work on
                   its own: if that fails too, the process is not at fault, and keeps running

A thread checks once a second. It counts checks, not seconds of the clock: while a process is
stopped (SIGSTOP, a suspended laptop, a starved machine), its watchdog is stopped too, and the loop
gets a check to go round before it is judged. What is broken for every process is no reason to
exit: a new process would do no better, and all sockets would be closed.

Nothing here may wait for a part that may be broken. So control probes and log lines have threads
of their own, and the end is `os._exit`, without locks, flushes or handlers.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import Protocol

log = logging.getLogger(__name__)

EXIT_CODE = 75  # "try again later", in sysexits.h
CHECK_EVERY_S = 1.0
LONGEST_CHECK_S = 2.0  # one check counts no more, however long ago the last one was
LOOP_WARNS_AFTER_S = 5.0
LOOP_TOLERANCE_S = 15.0
PROBE_EVERY_S = 5.0
PROBE_SUCCESSES = 3  # needed in a row; a part that has just recovered gets that much time
LAST_WORDS_S = 2.0
# Where C code holds the interpreter, no thread of Python can check. C code ends the process then.
# It uses the clock: a process that was stopped for longer is started again.
HELD_FOR_S = 90.0
NAME = "watchdog"  # of the thread
DEEPEST = 25  # frames of a stack, the innermost
MOST_STACKS = 20
LAGS = 10  # the lag is the worst of so many checks

InThread = Callable[[Callable[[], None]], threading.Thread | None]


class HeartbeatSource(Protocol):
    def has_beaten(self) -> bool:
        """Whether it has beaten since the last call."""


class Over(Exception):
    """The watched loop has ended in order."""


class LoopHeartbeat:
    """An event loop beats by running the callback that it was given."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon  # safe from any thread; RuntimeError once the loop is closed
        self._asked_at = 0.0
        self._has_answered = True
        self._lags: deque[float] = deque([0.0], maxlen=LAGS)

    def has_beaten(self) -> bool:
        if not self._has_answered:
            return False
        self._has_answered = False
        self._asked_at = time.monotonic()
        try:
            self._call_soon(self._answer)
        except RuntimeError:
            raise Over from None
        return True

    def _answer(self) -> None:
        self._lags.append(time.monotonic() - self._asked_at)
        self._has_answered = True

    def lag_s(self) -> float:
        """How late the loop was, at worst, in the last seconds. To be called on the loop."""
        return max(self._lags)


class CounterHeartbeat:
    """A part that counts its rounds beats when the count has changed."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._last = -1

    def has_beaten(self) -> bool:
        last, self._last = self._last, self._count()
        return last != self._last


def _in_thread(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act, name="watchdog's errand", daemon=True)
    thread.start()
    return thread


class HealthCheck:
    """`name` is the reason where `fails()`, which may read plain attributes only.

    `control_probe` raises where the same work fails on its own (on another connection); it may
    block. Without one the process is always at fault.
    """

    def __init__(
        self,
        name: str,
        fails: Callable[[], bool],
        tolerance_s: float,
        control_probe: Callable[[], object] | None = None,
        *,
        warn_after_s: float = inf,
        in_thread: InThread = _in_thread,
    ) -> None:
        self.name = name
        self.failing_s = 0.0  # by checks
        self.warn_after_s = warn_after_s
        self._fails = fails
        self._tolerance_s = tolerance_s
        self._control_probe = control_probe
        self._in_thread = in_thread
        self._probe_successes = 0
        self._is_probing = False
        self._next_probe_s = 0.0

    @classmethod
    def of_loop(
        cls,
        name: str,
        heartbeat: HeartbeatSource,
        tolerance_s: float = LOOP_TOLERANCE_S,
    ) -> HealthCheck:
        """Of a loop that must go round. The log shows where it stands long before its end."""
        return cls(
            f"{name} stands still",
            lambda: not heartbeat.has_beaten(),
            tolerance_s,
            warn_after_s=LOOP_WARNS_AFTER_S,
        )

    def check(self, seconds: float) -> bool:
        """Whether it has failed for longer than is tolerated, and the process is at fault."""
        if not self._fails():
            self.failing_s = 0.0
            self._probe_successes = 0
            return False
        if self.failing_s == 0.0:
            self._next_probe_s = max(0.0, self._tolerance_s - PROBE_SUCCESSES * PROBE_EVERY_S)
        self.failing_s += seconds
        if self._control_probe is None:
            return self.failing_s >= self._tolerance_s
        if self.failing_s >= self._next_probe_s:
            self._next_probe_s = self.failing_s + PROBE_EVERY_S
            self._probe(self._control_probe)
        return self.failing_s >= self._tolerance_s and self._probe_successes >= PROBE_SUCCESSES

    def is_serious(self) -> bool:
        """Half of the tolerance has passed: a load balancer should choose another process."""
        return self.failing_s >= self._tolerance_s / 2

    def _probe(self, control_probe: Callable[[], object]) -> None:
        if self._is_probing:
            self._probe_successes = 0  # no answer in five seconds counts as a failure
            return
        self._is_probing = True

        def probe() -> None:
            try:
                control_probe()
            except Exception:  # of any kind: a new process would do no better
                self._probe_successes = 0
            else:
                self._probe_successes += 1
            finally:
                self._is_probing = False

        self._in_thread(probe)


class Watchdog:
    """Runs `checks` once a second, and `on_check` each time: it shows that the watchdog lives."""

    def __init__(
        self,
        checks: Sequence[HealthCheck],
        on_check: Callable[[], object] = lambda: None,
        now: Callable[[], float] = time.monotonic,
        end: Callable[[int], object] = os._exit,
        in_thread: InThread = _in_thread,
    ) -> None:
        self.checks = checks
        self._on_check = on_check
        self._now = now
        self._end = end
        self._in_thread = in_thread
        self._checked_at = now()
        self._rearmed_at = -inf
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name=NAME, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(CHECK_EVERY_S):
            try:
                self._expect_next_check()
                self.check()
            except Over:
                break
            except Exception as error:
                self._say(partial(log.error, "a check failed", exc_info=error))
        faulthandler.cancel_dump_traceback_later()

    def _expect_next_check(self) -> None:
        if self._now() - self._rearmed_at >= HELD_FOR_S / 9:
            self._rearmed_at = self._now()
            faulthandler.dump_traceback_later(HELD_FOR_S, exit=True, file=sys.__stderr__ or 2)

    def check(self) -> None:
        """Runs each check once. Ends the process, if it must."""
        now = self._now()
        seconds = min(now - self._checked_at, LONGEST_CHECK_S)
        self._checked_at = now
        self._on_check()
        for check in self.checks:
            before = check.failing_s
            if check.check(seconds):
                self._exit(f"{check.name} for {check.failing_s:.0f} s")
            elif before < check.warn_after_s <= check.failing_s:
                self._say(partial(_log_stacks, logging.WARNING, check.name))
            elif before >= check.warn_after_s and not check.failing_s:
                line = "%s no longer, after %.0f s"
                self._say(partial(log.warning, line, check.name, before))

    def _exit(self, why: str) -> None:
        line = f"exiting, to be started again: {why}"
        said = self._say(partial(_log_stacks, logging.CRITICAL, line))
        if said is not None:
            said.join(LAST_WORDS_S)
        self._end(EXIT_CODE)

    def _say(self, line: Callable[[], None]) -> threading.Thread | None:
        """In a thread: a stuck thread may hold the log's lock, or the log be a full pipe."""
        return self._in_thread(line)


def gone_within(seconds: float, end: Callable[[int], object] = os._exit) -> None:
    """Ends the process by then, also where a thread hangs."""

    def leave() -> None:
        line = f"not gone after {seconds:.1f} s: cut"
        said = _in_thread(partial(_log_stacks, logging.ERROR, line))
        said.join(LAST_WORDS_S / 10)
        end(EXIT_CODE)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def _log_stacks(level: int, line: str) -> None:
    log.log(level, "%s", line)
    for stack in stacks():
        log.log(level, "%s", stack)


def stacks() -> list[str]:
    """Where each thread is: files, lines and functions, and no values."""
    name_of = {thread.ident: thread.name for thread in threading.enumerate()}
    where: dict[str, list[str]] = {}
    for ident, frame in sys._current_frames().items():
        name = name_of.get(ident) or str(ident)
        if ident != threading.get_ident() and name != NAME:
            innermost = traceback.extract_stack(frame)[-DEEPEST:]
            at = " > ".join(f"{_short(s.filename)}:{s.lineno} {s.name}" for s in innermost)
            where.setdefault(at, []).append(name)
    return [f"{', '.join(sorted(names))}: {at}" for at, names in where.items()][:MOST_STACKS]


def _short(path: str) -> str:
    return "/".join(path.rsplit("/", 2)[-2:])
