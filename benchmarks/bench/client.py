"""The load client (`load/load.c`) as a process."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.compiler import compiled
from local.part import guarded
from local.problem import Problem

SOURCE = Path(__file__).resolve().parent.parent / "load" / "load.c"
CONNECTS_WITHIN_S = 90.0


class Failed(Exception):
    """The load client has ended, or has printed nothing in time."""


def build(folder: Path) -> Path:
    """The program. It needs Linux (epoll) and a C compiler: raises `Problem`."""
    if sys.platform != "linux":
        raise Problem("`./space bench` runs on Linux only: its load client uses epoll.")
    return compiled(SOURCE, folder)


class Load:
    """A running load client."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self._lines = _lines(process)

    def connected(self) -> dict[str, Any]:
        """How the connecting went, once it is over."""
        return dict(json.loads(self._after("connected ", CONNECTS_WITHIN_S)))

    def begin(self) -> None:
        """The measured seconds begin now."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def measured(self, seconds: float) -> None:
        """Waits until those seconds are over."""
        self._after("measured", seconds + 15)

    def report(self) -> dict[str, Any]:
        """What was received."""
        return dict(json.loads("{" + self._after("{", 60)))

    def _after(self, word: str, patience_s: float) -> str:
        deadline = time.monotonic() + patience_s
        for line in self._lines(deadline):
            if line.startswith(word):
                return line.removeprefix(word)
        raise Failed(f"the load client did not say {word.strip()!r} within {patience_s:.0f} s")


@contextmanager
def load(program: Path, **options: Any) -> Iterator[Load]:
    """Starts it with these options; it is gone afterwards."""
    words = [f for name, v in options.items() if v is not None for f in (_flag(name), str(v))]
    process = subprocess.Popen(
        guarded([str(program), *words]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Load(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _lines(process: subprocess.Popen[str]) -> Callable[[float], Iterator[str]]:
    """A function that gives the lines up to a deadline (of the monotonic clock)."""
    assert process.stdout is not None
    file = process.stdout.fileno()
    selector = selectors.DefaultSelector()
    selector.register(file, selectors.EVENT_READ)
    rest = b""

    def until(deadline: float) -> Iterator[str]:
        nonlocal rest
        while True:
            while b"\n" in rest:
                line, _, rest = rest.partition(b"\n")
                yield line.decode()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            if selector.select(left):
                data = os.read(file, 65_536)
                if not data:
                    raise Failed(f"the load client has ended ({process.wait()})")
                rest += data

    return until
