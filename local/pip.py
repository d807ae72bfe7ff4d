"""Installing packages with any pip of this machine. `.venv` is made without one.

Making it with a pip takes seconds (and on Debian a package that may be missing), while the one
that comes with Python can be run from its wheel.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.environment import FOREIGN
from local.part import guarded
from local.problem import Problem

# Settings that say where packages come from. Others (a target, a constraint) are of other projects.
SOURCES = {
    *("INDEX_URL", "EXTRA_INDEX_URL", "NO_INDEX", "FIND_LINKS", "TRUSTED_HOST", "PROXY", "CERT"),
    *("CLIENT_CERT", "CONFIG_FILE", "CACHE_DIR", "NO_CACHE_DIR", "TIMEOUT", "DEFAULT_TIMEOUT"),
    *("RETRIES", "KEYRING_PROVIDER"),
}
# Every package is pinned, those that others need too. Bytecode is made when it is first used.
OPTIONS = ("--no-deps", "--no-compile", "--no-input", "--disable-pip-version-check", "--quiet")
NO_PIP = (
    "There is no pip to install packages with. Install python3-venv or python3-pip with the "
    "package manager of your system (Debian: apt install python3-venv), then try again."
)


def install(pins: Sequence[str], python: Path, environment: Mapping[str, str]) -> None:
    """Install the packages for this Python; a pip among them first, which then does the rest."""
    own = [pin for pin in pins if pin.startswith("pip==")]
    for part in (own, [pin for pin in pins if pin not in own]):
        if part:
            _install(part, python, environment)


def _install(pins: Sequence[str], python: Path, environment: Mapping[str, str]) -> None:
    pip = next(_pips(python), None)
    if pip is None:
        raise Problem(NO_PIP)
    done = subprocess.run(
        guarded([*pip, "install", *OPTIONS, "--requirement", "/dev/stdin"]),
        input="\n".join(pins),
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=without_other_places(environment) | {"PIP_USER": "0"},
    )
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise Problem("pip could not install the packages:\n" + "\n".join(errors[-15:]))


def without_other_places(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings that install from, or into, another place."""
    return {
        name: value
        for name, value in environment.items()
        if name not in FOREIGN
        and (not name.startswith("PIP_") or name.removeprefix("PIP_") in SOURCES)
    }


def _pips(python: Path) -> Iterator[list[str]]:
    """The ways to run a pip for this Python, the best first."""
    if next(python.parents[1].glob("lib/python3*/site-packages/pip"), None):
        yield [str(python), "-m", "pip"]
    for wheel in _bundled_wheels():
        yield [str(python), str(wheel / "pip")]
    if (found_pip := importlib.util.find_spec("pip")) and found_pip.origin:
        yield [sys.executable, "-m", "pip", "--python", str(python)]
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            yield [found, "--python", str(python)]


def _bundled_wheels() -> Iterator[Path]:
    """The wheel that `ensurepip` installs from. A wheel is a zip file, so it runs as it is."""
    ensurepip = importlib.util.find_spec("ensurepip")
    folders = [sysconfig.get_config_var("WHEEL_PKG_DIR"), "/usr/share/python-wheels"]
    if ensurepip and ensurepip.origin:
        folders.insert(0, os.path.join(os.path.dirname(ensurepip.origin), "_bundled"))
    for folder in folders:
        if folder:
            yield from sorted(Path(folder).glob("pip-*.whl"), reverse=True)
