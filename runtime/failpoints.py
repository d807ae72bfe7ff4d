"""Places at which a test can break this process. In production they do nothing and cost nothing.

    failpoint("committed")                       in the code
    (folder / "committed").write_text("crash")   in a test, `folder` being SPACE_FAILPOINTS

The first process that reaches the place takes the file and does what the file says. It renames the
file to `committed.<pid>`, so the test knows which process it broke.

    crash        the process is killed by SIGKILL
    stop         the process is stopped by SIGSTOP, until the test sends SIGCONT
    sleep S      the thread sleeps for S seconds; on the event loop nothing else runs meanwhile
    raise        raises `Broken`

Failpoints need SPACE_ENV=development too. They are no setting: only the tests should know of them.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


class Broken(Exception):
    """Raised where a test asked for a failure."""


def _folder() -> Path | None:
    named = os.environ.get("SPACE_FAILPOINTS")
    return Path(named) if named and os.environ.get("SPACE_ENV") == "development" else None


FOLDER = _folder()


def failpoint(name: str) -> None:
    """Breaks this process here, if a test has asked for it."""
    if FOLDER is not None:
        _break(FOLDER / name)


def _break(asked: Path) -> None:
    try:
        taken = asked.rename(asked.with_name(f"{asked.name}.{os.getpid()}"))
    except FileNotFoundError:
        return
    match taken.read_text().split():
        case ["crash"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["stop"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        case ["sleep", seconds]:
            time.sleep(float(seconds))
        case ["raise"]:
            raise Broken(asked.name)
