"""A file that says when a process last turned and last did its job, for who has no port to ask at.

On the monotonic clock, which all processes of a machine share: a step of the wall clock makes
nobody look dead. `config/probe.py` reads it for health checks, `./space run` for its timekeeper.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

EVERY_S = 1.0


class Pulse:
    """Writes at most once a second. A disk that is full keeps nobody from the job."""

    def __init__(self, file: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._now = now
        self._worked = self._written = now() - EVERY_S
        self._failing = False

    def beat(self, worked: bool) -> None:
        """It turned, and did its job or could not."""
        now = self._now()
        if worked:
            self._worked = now
        if now - self._written < EVERY_S:
            return
        self._written = now
        new = self._file.with_name(f"{self._file.name}.new")
        try:
            new.write_text(json.dumps({"turned": now, "worked": self._worked}))
            new.replace(self._file)  # never half of it
        except OSError as error:
            if not self._failing:
                log.warning("cannot write %s: %s", self._file, error)
            self._failing = True
        else:
            self._failing = False
