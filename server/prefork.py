"""Several servers behind one port, and the parent that looks after them.

    parent -- opens the sockets, starts the children, waits
      |-- server-1    an ordinary server, on sockets of its own
      |-- server-2

A child that dies is started again on the same sockets: who connects meanwhile waits in their queue.
A child knows by a pipe that the parent lives, so none is left over. By another one its watchdog
says each second that it lives: who was heard once and then says nothing for a minute is killed.
Children are made by `fork`, after the app is loaded and before anything is opened: a new one is
there in milliseconds.
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

Serve = Callable[[list[socket.socket], Callable[[], object]], None]  # and what says "I live"

GLANCE_S = 0.1  # between two looks for a signal
STOPS_WITHIN_S = 6.0  # a server needs five at most; then it is killed
AT_ONCE_S = 10.0  # whoever fails so soon after the first start would fail again
CALM_S = 60.0  # whoever has lived so long is started again at once
LONGEST_WAIT_S = 10.0
SILENT_S = 60.0  # by looks, so a parent that was stopped itself blames nobody
LONGEST_LOOK_S = 1.0  # what one look counts at most
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
    hears_from: int | None = None  # the reading end of its pipe
    silent_s: float | None = None  # None: nothing was heard yet, so it is not waited for

    @property
    def name(self) -> str:
        return f"server-{self.number}"


class Prefork:
    """Serves with one child for each set of sockets, until SIGTERM or Ctrl-C."""

    def __init__(self, serve: Serve, sockets: list[list[socket.socket]]) -> None:
        self._serve = serve
        self.children = [Child(number, each) for number, each in enumerate(sockets, 1)]
        self._told = 0  # how often to stop
        self._looked_at = time.monotonic()

    def run(self) -> None:
        """Blocks. All children are gone afterwards. Raises `CannotStart`."""
        self._parent_lives, self._lifeline = os.pipe()
        gc.collect()
        gc.freeze()  # what is loaded stays shared: the collector would write into it
        with self._signals():
            try:
                while not self._told:
                    self.look()
                    self._wait(GLANCE_S)
                self._stop()
            finally:
                for process in self._living():
                    process.kill()
                    process.join()
                os.close(self._lifeline)
                os.close(self._parent_lives)

    # -- while it serves -------------------------------------------------------------------------

    def look(self) -> None:
        before, self._looked_at = self._looked_at, time.monotonic()
        for child in self.children:
            self._look_after(child)
            self._listen_to(child, min(self._looked_at - before, LONGEST_LOOK_S))

    def _listen_to(self, child: Child, seconds: float) -> None:
        if child.process is None or child.hears_from is None:
            return
        try:
            said = os.read(child.hears_from, 4096)
        except BlockingIOError:
            said = b""
        if said:
            child.silent_s = 0.0
        elif child.silent_s is not None:
            child.silent_s += seconds
            if child.silent_s >= SILENT_S:
                log.error("%s says nothing for %.0f s: killing it", child.name, child.silent_s)
                child.silent_s = None
                child.process.kill()

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start(child)
        elif (code := child.process.exitcode) is not None:
            lived = now - child.started_at
            if child.starts == 1 and code > 0 and lived < AT_ONCE_S:
                raise CannotStart(f"{child.name} stopped at once (exit code {code}).")
            self._has_died(child, child.process, code, lived)

    def _has_died(self, child: Child, process: ForkProcess, code: int, lived: float) -> None:
        child.quick_deaths = 0 if lived > CALM_S else child.quick_deaths + 1
        wait_s = min(LONGEST_WAIT_S, 2.0 ** (child.quick_deaths - 2))
        if child.quick_deaths < 2:
            wait_s = 0.0
        reason = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        again = f"in {wait_s:.0f} s" if wait_s else "at once"
        log.error(
            "%s (pid %d) is gone (%s), starting it again %s",
            *(child.name, process.pid, reason, again),
        )
        process.close()
        if child.hears_from is not None:
            os.close(child.hears_from)
        child.hears_from = child.silent_s = None
        child.process, child.start_at = None, time.monotonic() + wait_s

    def _start(self, child: Child) -> None:
        fork = multiprocessing.get_context("fork")
        child.hears_from, speaks_to = os.pipe()
        os.set_blocking(child.hears_from, False)
        os.set_blocking(speaks_to, False)
        process = fork.Process(target=self._be, args=(child, speaks_to), name=child.name)
        # A signal that came between the fork and the child's first line would be the parent's.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(speaks_to)
        child.process, child.started_at = process, time.monotonic()
        child.starts += 1

    # -- when it stops ---------------------------------------------------------------------------

    def _stop(self) -> None:
        """Each child tells its sockets and goes; whoever is told twice waits for nobody."""
        for child in self.children:
            for listener in child.sockets:
                listener.close()  # the children have theirs, until they close them
        for process in self._living():
            process.terminate()
        deadline = time.monotonic() + STOPS_WITHIN_S
        while self._living() and self._told < 2 and time.monotonic() < deadline:
            self._wait(GLANCE_S)

    def _living(self) -> list[ForkProcess]:
        processes = (child.process for child in self.children)
        return [process for process in processes if process is not None and process.is_alive()]

    def _wait(self, seconds: float) -> None:
        """Until a child dies, or so long."""
        wait([process.sentinel for process in self._living()], seconds)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def told(*_: object) -> None:
            self._told += 1

        before = {number: signal.signal(number, told) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # -- in the child ----------------------------------------------------------------------------

    def _be(self, child: Child, speaks_to: int) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.setpgid(0, 0)  # Ctrl-C is for the parent, who then tells us
        os.close(self._lifeline)
        threading.Thread(target=self._die_with_the_parent, daemon=True).start()
        for other in self.children:
            for listener in other.sockets:
                if listener not in child.sockets:
                    listener.close()
        for each in self.children:
            if each.hears_from is not None:
                os.close(each.hears_from)
        _name_in_the_log(child.name)

        def lives() -> None:
            with suppress(OSError):  # the pipe is full: the parent stands, or is gone
                os.write(speaks_to, b".")

        self._serve(child.sockets, lives)

    def _die_with_the_parent(self) -> None:
        os.read(self._parent_lives, 1)  # nobody ever writes: it ends when the parent does
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOPS_WITHIN_S)
        os.kill(os.getpid(), signal.SIGKILL)


def _name_in_the_log(name: str) -> None:
    """Each line of this process says whose it is, whatever the format."""
    make = logging.getLogRecordFactory()

    def named(*args: object, **kwargs: object) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.name = f"{name} {record.name}"
        return record

    logging.setLogRecordFactory(named)
