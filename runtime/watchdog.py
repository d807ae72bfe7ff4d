"""Ends a process that no longer does its job, so that its supervisor starts it again.

    heart     beats while a loop goes round; where it stands, nobody else is left to say so
    ailment   what this process cannot do, although a newcomer can: that was tried

A thread looks once a second. It believes in looks, not in the clock: a process that was stopped
itself (SIGSTOP, a laptop asleep, a starved machine) did not look either, and gets a look to come
round before it is judged. And what is broken for everybody is no reason to go: starting again would
help nobody, and throw out every socket.

Nothing here may wait for what may be broken. So trials and lines of the log have threads of their
own, and the end is `os._exit`: no lock, no flush, no farewell.
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
from typing import Protocol

log = logging.getLogger(__name__)

EXIT_CODE = 75  # "try again later", in sysexits.h
EVERY_S = 1.0
LONGEST_LOOK_S = 2.0  # what one look counts at most, however long the last one is ago
WARN_AFTER_S = 5.0
STANDS_FOR_S = 15.0
TRY_EVERY_S = 5.0
PROOFS = 3  # trials in a row that must have worked; what has just come back is given that time
LAST_WORDS_S = 2.0
# Where something holds the interpreter itself no thread of Python can look: C code ends the process
# then. That goes by the clock: who was stopped for longer is started again.
HELD_FOR_S = 90.0
NAME = "watchdog"  # of the thread
DEEPEST = 25  # frames of a stack, the innermost
MOST_STACKS = 20
LAGS = 10  # the worst of so many looks is told

InThread = Callable[[Callable[[], None]], threading.Thread | None]


class Heart(Protocol):
    def has_beaten(self) -> bool:
        """Whether it has beaten since this was last asked."""


class Over(Exception):
    """What was watched has ended in order."""


class LoopHeart:
    """An event loop beats by answering."""

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
        """How late the loop was, at worst, in the last seconds. To be asked on the loop."""
        return max(self._lags)


class CountingHeart:
    """Whatever counts its rounds beats when the count has changed."""

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


class Ailment:
    """`is_there` is asked at each look, and may read plain attributes only.

    `newcomer` does the same afresh (a connection of its own), and raises where that fails too. It
    may block. Without one the ailment is the process's own in any case.
    """

    def __init__(
        self,
        name: str,
        is_there: Callable[[], bool],
        bearable_s: float,
        newcomer: Callable[[], object] | None = None,
        in_thread: InThread = _in_thread,
    ) -> None:
        self.name = name
        self.lasts_s = 0.0  # by looks
        self._is_there = is_there
        self._bearable_s = bearable_s
        self._newcomer = newcomer
        self._in_thread = in_thread
        self._proofs = 0
        self._is_trying = False
        self._next_trial_s = 0.0

    def look(self, seconds: float) -> bool:
        """Whether it is unbearable, and the process's own."""
        if not self._is_there():
            self.lasts_s = 0.0
            self._proofs = 0
            return False
        if self.lasts_s == 0.0:
            self._next_trial_s = max(0.0, self._bearable_s - PROOFS * TRY_EVERY_S)
        self.lasts_s += seconds
        if self._newcomer is None:
            return self.lasts_s >= self._bearable_s
        if self.lasts_s >= self._next_trial_s:
            self._next_trial_s = self.lasts_s + TRY_EVERY_S
            self._try(self._newcomer)
        return self.lasts_s >= self._bearable_s and self._proofs >= PROOFS

    def is_serious(self) -> bool:
        """Half of what is bearable has passed: whoever chooses among processes should know."""
        return self.lasts_s >= self._bearable_s / 2

    def _try(self, newcomer: Callable[[], object]) -> None:
        if self._is_trying:
            self._proofs = 0  # five seconds are no answer
            return
        self._is_trying = True

        def trial() -> None:
            try:
                newcomer()
            except Exception:  # whatever it is: a newcomer would be no better off
                self._proofs = 0
            else:
                self._proofs += 1
            finally:
                self._is_trying = False

        self._in_thread(trial)


class Watchdog:
    """`hearts` and `ailments` are looked at; `on_look` is called each time, for a second dog."""

    def __init__(
        self,
        hearts: dict[str, Heart],
        ailments: Sequence[Ailment] = (),
        on_look: Callable[[], object] = lambda: None,
        stands_for_s: float = STANDS_FOR_S,
        now: Callable[[], float] = time.monotonic,
        end: Callable[[int], object] = os._exit,
        in_thread: InThread = _in_thread,
    ) -> None:
        self.ailments = ailments
        self._hearts = hearts
        self._stands_s = dict.fromkeys(hearts, 0.0)
        self._on_look = on_look
        self._stands_for_s = stands_for_s
        self._now = now
        self._end = end
        self._in_thread = in_thread
        self._looked_at = now()
        self._rearmed_at = float("-inf")
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name=NAME, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(EVERY_S):
            try:
                self._expect_next_look()
                self.look()
            except Over:
                break
            except Exception:
                self._say(lambda: log.exception("a look failed"))
        faulthandler.cancel_dump_traceback_later()

    def _expect_next_look(self) -> None:
        if self._now() - self._rearmed_at >= HELD_FOR_S / 9:
            self._rearmed_at = self._now()
            faulthandler.dump_traceback_later(HELD_FOR_S, exit=True, file=sys.__stderr__ or 2)

    def look(self) -> None:
        """One look. Ends the process, if it must."""
        now = self._now()
        seconds = min(now - self._looked_at, LONGEST_LOOK_S)
        self._looked_at = now
        self._on_look()
        for name, heart in self._hearts.items():
            self._feel(name, heart, seconds)
        for ailment in self.ailments:
            if ailment.look(seconds):
                self._leave(f"{ailment.name} for {ailment.lasts_s:.0f} s")

    def _feel(self, name: str, heart: Heart, seconds: float) -> None:
        before = self._stands_s[name]
        stands_s = self._stands_s[name] = 0.0 if heart.has_beaten() else before + seconds
        if before >= WARN_AFTER_S and not stands_s:
            self._say(lambda: log.warning("%s goes on, after %.0f s", name, before))
        elif stands_s >= self._stands_for_s:
            self._leave(f"{name} stands still for {stands_s:.0f} s")
        elif before < WARN_AFTER_S <= stands_s:
            self._say(lambda: _tell(logging.WARNING, f"{name} stands still"))

    def _leave(self, why: str) -> None:
        said = self._say(lambda: _tell(logging.CRITICAL, f"going, to be started again: {why}"))
        if said is not None:
            said.join(LAST_WORDS_S)
        self._end(EXIT_CODE)

    def _say(self, line: Callable[[], None]) -> threading.Thread | None:
        """Not here: who stands may hold the log's lock, or the log be a pipe that nobody reads."""
        return self._in_thread(line)


def gone_within(seconds: float, end: Callable[[int], object] = os._exit) -> None:
    """Ends the process by then, whatever it still waits for (a thread that hangs, say)."""

    def leave() -> None:
        said = _in_thread(lambda: _tell(logging.ERROR, f"not gone after {seconds:.1f} s: cut"))
        said.join(LAST_WORDS_S / 10)
        end(EXIT_CODE)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def _tell(level: int, what: str) -> None:
    log.log(level, "%s", what)
    for stack in stacks():
        log.log(level, "%s", stack)


def stacks() -> list[str]:
    """Where each thread is: files, lines and functions, and no values."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    where: dict[str, list[str]] = {}
    for ident, frame in sys._current_frames().items():
        who = names.get(ident) or str(ident)
        if ident != threading.get_ident() and who != NAME:
            innermost = traceback.extract_stack(frame)[-DEEPEST:]
            at = " > ".join(f"{_short(s.filename)}:{s.lineno} {s.name}" for s in innermost)
            where.setdefault(at, []).append(who)
    return [f"{', '.join(sorted(who))}: {at}" for at, who in where.items()][:MOST_STACKS]


def _short(path: str) -> str:
    return "/".join(path.rsplit("/", 2)[-2:])
