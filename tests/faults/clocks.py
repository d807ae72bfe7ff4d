"""Wrong clocks, by libfaketime: Debian's package `faketime`. The monotonic clock stays as it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

# The one for programs with threads first.
_WHERE = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/*/faketime/libfaketime.so.1")


def library() -> Path:
    """Skips the test where it is not installed; CI installs it."""
    found = [path for pattern in _WHERE for path in Path("/").glob(pattern[1:])]
    if not found:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("libfaketime is missing: install Debian's package faketime")
    return found[0]


class Clock:
    """The wall clock of the processes that are started with `environment`; it can be stepped.

    They look into the file at each reading of the clock, so that a step is seen at once.
    """

    def __init__(self, folder: Path, name: str = "clock") -> None:
        self._file = folder / name
        self.step("+0")
        self._library = library()

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, offset: str) -> None:
        """So far from the real time: "+2d", "-90" (seconds). Appears whole."""
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(offset + "\n")
        unfinished.chmod(0o644)
        unfinished.replace(self._file)
