"""One process that `./space` supervises: how it starts, when it is ready, how it stops."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.problem import Problem

GUARD = Path(__file__).with_name("guard.py")
POLL_INTERVAL_S = 0.01


class PartFailed(Problem):
    """A part did not start. The message says which, why, and the end of its log."""


@dataclass
class Part:
    name: str
    command: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str]
    is_ready: Callable[["Part"], bool]
    identity: str = "self"  # see guard.py
    dies_with_us_by: signal.Signals = signal.SIGKILL
    # The signals that ask it to stop, and how many seconds each gives it. SIGKILL follows.
    stops_by: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 5.0),)
    # Whether it still works; may take seconds. A part that was healthy and then fails this check
    # for a minute is killed, and started again (see supervisor.py).
    is_healthy: Callable[[], bool] | None = None
    shows_warnings: bool = False  # in the terminal too, not only in its log
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it in a session of its own: Ctrl-C reaches only us, who stop the parts in order."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                guarded(self.command, self.dies_with_us_by, self.identity),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.environment),
                start_new_session=True,
            )

    def wait_until_ready(self, seconds: float) -> None:
        """Raise `PartFailed` if it dies, or is not ready in time."""
        if not wait_for(lambda: not self.is_alive() or self.is_ready(self), seconds):
            raise PartFailed(self.explain(f"is not ready after {seconds:.0f} s"))
        if not self.is_alive():
            raise PartFailed(self.explain(f"stopped at once ({self.exit_reason()})"))

    def kill(self) -> None:
        """For a part that does not respond."""
        self._signal(signal.SIGKILL)

    def ask_to_stop(self) -> None:
        self._signal(self.stops_by[0][0])

    def stop(self) -> None:
        """Ask, wait, ask harder, kill. Afterwards it is gone, and so are its own processes."""
        for number, seconds in (*self.stops_by, (signal.SIGKILL, 5.0)):
            if not self.is_alive():
                break
            self._signal(number)
            wait_for(lambda: not self.is_alive(), seconds)
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def exit_reason(self) -> str:
        code = self.process.poll() if self.process else None
        if code is None:
            return "still running"
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def explain(self, what: str, lines: int = 12) -> str:
        tail = "\n".join(f"    {line}" for line in tail_of(self.log, lines))
        return f"{self.name} {what}. The end of {self.log}:\n{tail or '    (empty)'}"


def stop_together(parts: Sequence[Part]) -> None:
    """All are asked at once; then each is waited for, the last one first."""
    for part in reversed(parts):
        part.ask_to_stop()
    for part in reversed(parts):
        part.stop()


def guarded(
    command: Sequence[str | Path],
    dies_by: signal.Signals = signal.SIGKILL,
    identity: str = "self",
) -> list[str]:
    """The command, made to end with this process."""
    first = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), str(int(dies_by)), identity]
    return first + [str(word) for word in command]


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True


def tail_of(log: Path, lines: int) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
