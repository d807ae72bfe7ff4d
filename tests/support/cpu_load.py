"""Processes that take whatever time the machine has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from local.part import guarded

LOOP = "while True: pass"


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """`count` processes, each busy on one core, until the end of the block."""
    busy = [subprocess.Popen(guarded([sys.executable, "-c", LOOP])) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
