"""Programs that the user talks to: they get the terminal, and we wait for them."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local.part import guarded


def become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process by the program: none of ours stays between it and the user."""
    os.execve(command[0], list(command), dict(environment))


def run_in_foreground(command: Sequence[str | Path], environment: Mapping[str, str]) -> int:
    """The exit code. The program receives Ctrl-C from the terminal; SIGTERM is passed on to it."""
    process = subprocess.Popen(guarded(command), env=dict(environment))
    with _signals_left_to(process):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _signals_left_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            process.send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
