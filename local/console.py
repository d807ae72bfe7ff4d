"""Output to the terminal: steps with their time, and the warnings from a log."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WARNING = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b")
NEW_ENTRY = re.compile(r"^(\d{4}-\d\d-\d\d|INFO|DEBUG)\b")
# A mail as Django writes it to a console: there is no other way to it in development.
MAIL_BEGINS = "Content-Type: text/plain"
MAIL_ENDS = "-" * 79


def say(text: str = "", end: str = "\n") -> None:
    with suppress(OSError):  # a closed terminal must not keep us from stopping the servers
        print(text, end=end, flush=True)


def complain(text: str) -> None:
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and afterwards how long it took."""
    started = time.monotonic()
    say(f"{what} ... ", end="")
    try:
        yield
    except BaseException:
        say()
        raise
    say(f"{time.monotonic() - started:.1f} s")


class Warnings:
    """Passes on the warnings and errors that a log gains, with the tracebacks that follow them.

    And mails: in development they are written to the console, and a user waits for one.
    """

    def __init__(self, name: str, log: Path) -> None:
        self._name, self._log = name, log
        self._position = log.stat().st_size if log.exists() else 0
        self._rest = b""
        self._showing = False
        self._in_mail = False

    def pass_on(self) -> None:
        with suppress(FileNotFoundError), self._log.open("rb") as file:
            file.seek(self._position)
            new = file.read()
            self._position += len(new)
            *lines, self._rest = (self._rest + new).split(b"\n")
            for line in lines:
                self._pass_on_line(line.decode(errors="replace"))

    def _pass_on_line(self, line: str) -> None:
        if line.startswith(MAIL_BEGINS):
            self._in_mail = True
        if self._in_mail:
            self._in_mail = line != MAIL_ENDS
            say(f"mail: {line}" if self._in_mail else "")
            return
        if WARNING.search(line):
            self._showing = True
        elif NEW_ENTRY.match(line):
            self._showing = False
        if self._showing:
            say(f"{self._name}: {line}")
