"""Processes that take whatever time the machine has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from local.part import guarded

BUSY = "while True: pass"


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """So many, each busy on one core, until the end. They die with us too."""
    busy = [subprocess.Popen(guarded([sys.executable, "-c", BUSY])) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
