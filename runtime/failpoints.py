"""Places at which a test can break this process. They do nothing in production, and cost nothing.

    failpoint("committed")                       in the code
    (folder / "committed").write_text("crash")   in a test, `folder` being SPACE_FAILPOINTS

The first process that comes by takes the file (it is renamed to `committed.<pid>`, so that the test
knows whom it broke) and does what it says:

    crash        is killed by SIGKILL
    stop         is stopped by SIGSTOP, until the test lets it go on
    sleep S      stands for S seconds; on the event loop nothing else runs there meanwhile
    raise        raises `Broken`

Only where SPACE_ENV is `development` too. It is no setting: nobody but the tests should know of it.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


class Broken(Exception):
    """A test wanted this to fail."""


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
