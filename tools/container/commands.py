"""Programs that a step runs: quiet when they succeed, quoted when they fail."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.part import guarded
from local.problem import Problem


def output_of(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None, lines: int = 25
) -> str:
    """Its output. Raises `Problem` with the last lines if it fails."""
    done = attempt(command, environment)
    if done.returncode != 0:
        output = (done.stderr + done.stdout).strip().splitlines()[-lines:]
        shown = " ".join(map(str, command[:3]))
        raise Problem(f"{shown} ... failed ({done.returncode}):\n" + "\n".join(output))
    return done.stdout


def program(name: str | Path) -> str:
    """Where it is. Debian keeps some in folders that are not on every user's path."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path) or str(name)


def attempt(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it, and allow it to fail."""
    return subprocess.run(
        guarded([program(command[0]), *command[1:]]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=None if environment is None else dict(environment),
    )


def must(condition: bool, sentence: str) -> None:
    """Raise `Problem` with this sentence unless the condition holds."""
    if not condition:
        raise Problem(sentence)
