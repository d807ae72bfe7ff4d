"""`.venv`: made once, filled with the pinned packages, and updated when the pins change."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from local import pip
from local.console import say, step
from local.problem import Problem

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LOCAL = "requirements-local.txt"
RUN = ("requirements.txt", LOCAL)
TEST = ("requirements-test.txt", LOCAL)
DEVELOP = ("requirements-dev.txt", LOCAL)
CONTAINER = (*DEVELOP, "requirements-container.txt")


class Venv:
    """The virtual environment of a checkout.

    Its stamp says which pins are installed, for which Python, and where. It is written last, so
    that an interrupted installation counts as none.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self._stamp = self.folder / "space-stamp.json"

    @property
    def site_packages(self) -> Path:
        return self.folder / "lib" / f"python{PYTHON}" / "site-packages"

    def ensure(self, files: Iterable[str], environment: Mapping[str, str]) -> None:
        """Make the environment if it is missing, and install the packages that the files pin."""
        wanted = {line for file in files for line in pins(self.root / file)}
        if not self._is_ours():
            self._make(environment)
        missing = wanted - self._installed()
        if missing:
            self._install(sorted(missing), environment)

    def _is_ours(self) -> bool:
        """Whether it is whole, of this Python, and has not been moved."""
        stamp = self._read_stamp()
        return (
            self.python.exists()
            and stamp.get("python") == PYTHON
            and stamp.get("folder") == str(self.folder)
            and not stamp.get("installing")
        )

    def _make(self, environment: Mapping[str, str]) -> None:
        if self.folder.exists():
            say(f"{self.folder} is incomplete, moved or of another Python: making a new one.")
            shutil.rmtree(self.folder)
        done = subprocess.run(
            [base_python(), "-m", "venv", "--without-pip", self.folder],
            capture_output=True,
            text=True,
            env=pip.without_other_places(environment),
        )
        if done.returncode != 0:
            raise Problem(
                f"{base_python()} -m venv failed: {(done.stderr or done.stdout).strip()}\n"
                "Some systems keep it in a package of its own (Debian: apt install python3-venv)."
            )
        self.remember([])

    def _install(self, missing: list[str], environment: Mapping[str, str]) -> None:
        installed = self._installed()
        names = {name_of(line) for line in missing}
        changed = any(name_of(line) in names for line in installed)
        why = "the pinned versions have changed" if changed else "first time only"
        self.remember(installed, installing=True)
        before = self.site_packages.stat().st_mtime_ns
        try:
            with step(f"Installing {len(missing)} packages into .venv ({why})"):
                pip.install(missing, self.python, environment)
        except Problem:
            if self.site_packages.stat().st_mtime_ns == before:  # it failed before it began
                self.remember(installed)
            raise
        kept = {line for line in installed if name_of(line) not in names}
        self.remember(kept | set(missing))

    def _installed(self) -> set[str]:
        return set(self._read_stamp().get("pins", []))

    def _read_stamp(self) -> dict[str, Any]:
        try:
            stamp: dict[str, Any] = json.loads(self._stamp.read_text())
        except (OSError, ValueError):
            return {}
        return stamp

    def remember(self, installed: Iterable[str], *, installing: bool = False) -> None:
        stamp = {
            "python": PYTHON,
            "folder": str(self.folder),
            "installing": installing,
            "pins": sorted(installed),
        }
        unfinished = self._stamp.with_suffix(".new")
        unfinished.write_text(json.dumps(stamp, indent=1))
        unfinished.replace(self._stamp)


def pins(file: Path) -> set[str]:
    """The lines of a requirements file, without comments."""
    lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
    return {line for line in lines if line}


def name_of(pin: str) -> str:
    """The name and the marker: a package may be pinned twice, under different markers."""
    requirement, _, marker = pin.partition(";")
    return f"{re.split('[=<>!~ ]', requirement)[0].lower()};{marker.strip()}"


def base_python() -> str:
    """The Python below any active virtual environment: that one may be the one we replace."""
    base = getattr(sys, "_base_executable", None)
    return base if base and os.path.exists(base) else sys.executable
