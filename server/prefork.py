"""Several servers behind one port, and the parent that supervises them.

    parent -- opens the sockets, starts the children, waits
      |-- server-1    an ordinary server, on sockets of its own
      |-- server-2

A child that dies is started again on the same sockets, so clients that connect meanwhile wait in
their queue. A pipe that ends with the parent ends the children too, so none is left over. Through
another pipe the watchdog of each child writes once a second: a child that has written once and then
writes nothing for a minute is killed. Children are made by `fork`, after the app is loaded and
before anything is opened, so a new one serves within milliseconds.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess

log = logging.getLogger(__name__)

Serve = Callable[[list[socket.socket], Callable[[], object]], None]  # the second says "I live"

POLL_S = 0.1
STOPS_WITHIN_S = 6.0  # a server needs five at most; then it is killed
START_S = 10.0  # a first start that fails so soon would fail again
STEADY_S = 60.0  # a child that has lived so long is started again at once
LONGEST_PAUSE_S = 10.0
SILENT_S = 60.0  # counted by polls, so a parent that was stopped itself blames no child
LONGEST_POLL_S = 1.0  # one poll counts no more
_SIGNALS = {signal.SIGTERM, signal.SIGINT}


class CannotStart(Exception):
    """A server ended with an error as soon as it was started."""


@dataclass
class Child:
    number: int
    sockets: list[socket.socket]
    process: ForkProcess | None = None
    started_at: float = 0.0  # monotonic, as all here
    start_at: float = 0.0
    starts: int = 0
    quick_deaths: int = 0
    signs_of_life: int | None = None  # the reading end of its pipe
    silent_s: float | None = None  # None: it has not written yet, so it is not judged

    @property
    def name(self) -> str:
        return f"server-{self.number}"


class Prefork:
    """Serves with one child for each set of sockets, until SIGTERM or Ctrl-C."""

    def __init__(self, serve: Serve, sockets: list[list[socket.socket]]) -> None:
        self._serve = serve
        self._children = [Child(number, each) for number, each in enumerate(sockets, 1)]
        self._stop_signals = 0
        self._polled_at = time.monotonic()

    def run(self) -> None:
        """Blocks. All children have ended afterwards. Raises `CannotStart`."""
        self._parent_lives, self._lifeline = os.pipe()
        gc.collect()
        gc.freeze()  # loaded objects stay shared: the collector would write into their pages
        with self._signals():
            try:
                while not self._stop_signals:
                    self._poll()
                    self._wait()
                self._stop()
            finally:
                for process in self._living():
                    process.kill()
                    process.join()
                os.close(self._lifeline)
                os.close(self._parent_lives)

    # -- while it serves -------------------------------------------------------------------------

    def _poll(self) -> None:
        before, self._polled_at = self._polled_at, time.monotonic()
        seconds = min(self._polled_at - before, LONGEST_POLL_S)
        for child in self._children:
            if child.process is None:
                if self._polled_at >= child.start_at:
                    self._start(child)
            elif (code := child.process.exitcode) is not None:
                self._has_died(child, child.process, code)
            else:
                self._kill_if_silent(child, child.process, seconds)

    def _kill_if_silent(self, child: Child, process: ForkProcess, seconds: float) -> None:
        assert child.signs_of_life is not None
        try:
            lives = bool(os.read(child.signs_of_life, 4096))
        except BlockingIOError:
            lives = False
        if lives:
            child.silent_s = 0.0
        elif child.silent_s is not None:
            child.silent_s += seconds
            if child.silent_s >= SILENT_S:
                log.error("%s was silent for %.0f s: killing it", child.name, child.silent_s)
                child.silent_s = None
                process.kill()

    def _has_died(self, child: Child, process: ForkProcess, code: int) -> None:
        lived_s = time.monotonic() - child.started_at
        if child.starts == 1 and code > 0 and lived_s < START_S:
            raise CannotStart(f"{child.name} stopped at once (exit code {code}).")
        child.quick_deaths = 0 if lived_s > STEADY_S else child.quick_deaths + 1
        pause_s = restart_pause_s(child.quick_deaths)
        reason = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        again = f"in {pause_s:.0f} s" if pause_s else "at once"
        log.error(
            "%s (pid %d) is gone (%s), starting it again %s",
            *(child.name, process.pid, reason, again),
        )
        process.close()
        if child.signs_of_life is not None:
            os.close(child.signs_of_life)
        child.signs_of_life = child.silent_s = None
        child.process, child.start_at = None, time.monotonic() + pause_s

    def _start(self, child: Child) -> None:
        fork = multiprocessing.get_context("fork")
        child.signs_of_life, writes_to = os.pipe()
        os.set_blocking(child.signs_of_life, False)
        os.set_blocking(writes_to, False)
        process = fork.Process(target=self._be, args=(child, writes_to), name=child.name)
        # A signal between the fork and the child's first line would meet the parent's handler.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(writes_to)
        child.process, child.started_at = process, time.monotonic()
        child.starts += 1

    # -- when it stops ---------------------------------------------------------------------------

    def _stop(self) -> None:
        """Each child closes its sockets in order and ends. A second signal does not wait for it."""
        for child in self._children:
            for listener in child.sockets:
                listener.close()  # the children have theirs, until they close them
        for process in self._living():
            process.terminate()
        deadline = time.monotonic() + STOPS_WITHIN_S
        while self._living() and self._stop_signals < 2 and time.monotonic() < deadline:
            self._wait()

    def _living(self) -> list[ForkProcess]:
        processes = (child.process for child in self._children)
        return [process for process in processes if process is not None and process.is_alive()]

    def _wait(self) -> None:
        """Until a child dies, or for the time between two polls."""
        wait([process.sentinel for process in self._living()], POLL_S)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(*_: object) -> None:
            self._stop_signals += 1

        before = {number: signal.signal(number, stop) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # -- in the child ----------------------------------------------------------------------------

    def _be(self, child: Child, writes_to: int) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.setpgid(0, 0)  # Ctrl-C is for the parent, which then stops the children
        os.close(self._lifeline)
        threading.Thread(target=self._die_with_the_parent, daemon=True).start()
        for each in self._children:
            for listener in each.sockets:
                if listener not in child.sockets:
                    listener.close()
            if each.signs_of_life is not None:
                os.close(each.signs_of_life)
        _name_in_the_log(child.name)

        def lives() -> None:
            with suppress(OSError):  # the pipe is full: the parent is stopped, or gone
                os.write(writes_to, b".")

        self._serve(child.sockets, lives)

    def _die_with_the_parent(self) -> None:
        os.read(self._parent_lives, 1)  # nothing is ever written: it ends when the parent does
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOPS_WITHIN_S)
        os.kill(os.getpid(), signal.SIGKILL)


def restart_pause_s(quick_deaths: int) -> float:
    """Before a dead child is started again. It grows with the deaths that came quickly."""
    return 0.0 if quick_deaths < 2 else min(LONGEST_PAUSE_S, 2.0 ** (quick_deaths - 2))


def _name_in_the_log(name: str) -> None:
    """Puts the name of this process into each of its log lines, whatever the format."""
    make = logging.getLogRecordFactory()

    def named(*args: object, **kwargs: object) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.name = f"{name} {record.name}"
        return record

    logging.setLogRecordFactory(named)
