"""What other people's loggers say too often."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

QUIET_S = 30.0  # after so long without a word, the next one is of another outage


class OneLinePerOutage(logging.Filter):
    """For a logger that writes a traceback each second while a server is away.

    The first one passes, as one line without its traceback; the others do not.
    """

    def __init__(self, name: str = "", now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._now = now
        self._quiet_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info is None:
            return True
        passes = self._now() >= self._quiet_until
        self._quiet_until = self._now() + QUIET_S
        record.msg, record.args = "%s: %r", (record.getMessage(), record.exc_info[1])
        record.exc_info = record.exc_text = None
        return passes
