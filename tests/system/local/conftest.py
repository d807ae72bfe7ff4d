"""A checkout for the tests of `./space`, in a folder with a space in its name.

Its `.venv` borrows the packages that are installed here, so that nothing is downloaded.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local import venv
from local.part import wait_for

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 20  # seconds; most waits take one


class Place:
    """A checkout, and the environment that its owner has."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        self.started: list[subprocess.Popen[str]] = []

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(self.root / "space")]

    def space(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments],
            env=self.environment | environment,
            cwd=self.root.parent,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`./space run` on a free port, ready."""
        process = subprocess.Popen(
            [*self.command, "run", "--port", "0", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        assert process.stdout
        for line in process.stdout:
            if "is ready at" in line:
                return process
        pytest.fail("./space run has ended before it was ready")

    def state(self) -> dict:
        return json.loads((self.root / ".space" / "run.json").read_text())

    def processes(self) -> list[str]:
        """The command lines of all processes that were started from this checkout."""
        shown = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout
        own = [f"{process.pid} " for process in self.started]
        lines = (line.strip() for line in shown.splitlines() if str(self.root) in line)
        return [line for line in lines if not line.startswith(tuple(own))]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Shared by the tests, since making an empty database takes longest."""
    root = tmp_path_factory.mktemp("space") / "a checkout"
    root.mkdir()
    shutil.copy(ROOT / "space", root)
    for package in ("local", "tools"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, root / package, ignore=ignored)
    shutil.copy(Path(__file__).with_name("stand_in_manage.py"), root / "manage.py")
    for file in venv.RUN:
        shutil.copy(ROOT / file, root)
    borrow_packages(root)
    return root


@pytest.fixture
def place(checkout, tmp_path):
    place = Place(checkout, tmp_path)
    yield place
    for process in place.started:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert wait_for(lambda: place.processes() == [], TIMEOUT_S)


def borrow_packages(root: Path) -> None:
    ours = venv.Venv(root)
    ours.python.parent.mkdir(parents=True)
    ours.python.symlink_to(venv.base_python())
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", ours.folder)
    (ours.folder / "lib").symlink_to(Path(sys.prefix) / "lib")
    ours.remember({pin for file in venv.RUN for pin in venv.pins(root / file)})
