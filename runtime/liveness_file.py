"""Shows in a file when a process last went round its loop, and when it last succeeded.

For processes that listen on no port. Times are of the monotonic clock, which all processes of a
machine share: setting the wall clock does not make a process appear dead. `config/probe.py` reads
the file for health checks, and `./space run` reads it for its timekeeper.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

WRITE_INTERVAL_S = 1.0


class LivenessFile:
    """Writes at most once a second. A full disk does not stop the process."""

    def __init__(self, file: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._now = now
        self._worked = self._written = now() - WRITE_INTERVAL_S
        self._failing = False

    def record(self, worked: bool) -> None:
        """The loop went round once; `worked` says whether the round succeeded."""
        now = self._now()
        if worked:
            self._worked = now
        if now - self._written < WRITE_INTERVAL_S:
            return
        self._written = now
        new = self._file.with_name(f"{self._file.name}.new")
        try:
            new.write_text(json.dumps({"turned": now, "worked": self._worked}))
            new.replace(self._file)  # a reader never sees half of it
        except OSError as error:
            if not self._failing:
                log.warning("cannot write %s: %s", self._file, error)
            self._failing = True
        else:
            self._failing = False
