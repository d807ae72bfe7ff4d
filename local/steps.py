"""The steps of a command: each with its time, and a summary at the end."""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from local.console import say
from local.foreground import run_in_foreground
from local.part import guarded
from local.problem import Problem

# The exit codes of a program that was stopped from outside.
STOPPED = {128 + number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}


@dataclass(frozen=True)
class Step:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)  # besides that of all steps
    quiet: bool = False  # its output is shown only if it fails


@dataclass
class Steps:
    """The steps so far. A step that fails does not keep the next one from running."""

    results: list[tuple[str, bool, float]] = field(default_factory=list)
    exit_code: int = 0  # of the first step that failed

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step in the body of `with`: it fails by any exception, which is passed on."""
        say(f"\n--- {name}")
        started, passed = time.monotonic(), False
        try:
            yield
            passed = True
        finally:
            seconds = time.monotonic() - started
            self.results.append((name, passed, seconds))
            self.exit_code = self.exit_code or int(not passed)
            say(f"--- {name}: {'ok' if passed else 'FAILED'}, {seconds:.1f} s")

    def run(self, step: Step, environment: Mapping[str, str]) -> int:
        """A step that is a program. Returns its exit code; one that was stopped stops them all."""
        code = 1
        with suppress(Problem), self.step(step.name):
            code = _run(step, {**environment, **step.environment})
            if code != 0:
                self.exit_code = self.exit_code or code
                raise Problem(f"exit code {code}")
        if code in STOPPED:
            raise KeyboardInterrupt
        return code

    def summary(self) -> int:
        """Says how each step ended. Returns the exit code of the command."""
        say("\nSummary")
        for name, passed, seconds in self.results:
            say(f"  {'ok    ' if passed else 'FAILED'} {seconds:6.1f} s  {name}")
        return self.exit_code


def _run(step: Step, environment: Mapping[str, str]) -> int:
    if not step.quiet:
        return run_in_foreground(step.command, environment)
    command = guarded(step.command)
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True)
    if done.returncode != 0:
        say(done.stdout + done.stderr)
    return done.returncode
