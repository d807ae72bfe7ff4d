"""One measurement at a time on this machine: two would measure each other."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.console import say

LOCK = Path(tempfile.gettempdir()) / "space-bench.lock"


@contextmanager
def alone_on_this_machine() -> Iterator[None]:
    """Waits until no other measurement runs, in any checkout."""
    try:
        lock = LOCK.open("a")
    except OSError:  # another user's: then nobody can tell
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another ./space bench is measuring on this machine: waiting for its end.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
