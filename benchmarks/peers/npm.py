"""The peers on Node, with their packages, brought into a folder of their own."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

from local.problem import Problem

HERE = Path(__file__).resolve().parent / "node"
WITHIN_S = 120
PRODUCTION = {"NODE_ENV": "production"}


def install(build_dir: Path) -> None:
    """The scripts of `node/` beside a `node_modules` with exactly what the lock file says."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Problem("Node with npm is not on this machine.")
    build_dir.mkdir(parents=True, exist_ok=True)
    with (build_dir / "npm.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one installs, who comes at the same time waits for it
        for file in HERE.iterdir():
            shutil.copy(file, build_dir)
        wanted = (HERE / "package-lock.json").read_bytes()
        installed = build_dir / "installed.json"
        if installed.exists() and installed.read_bytes() == wanted:
            return
        _npm_ci(npm, build_dir)
        installed.write_bytes(wanted)


def _npm_ci(npm: str, build_dir: Path) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command,
            cwd=build_dir,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"npm did not bring the packages within {WITHIN_S} s.") from None
    if done.returncode != 0:
        raise Problem(f"npm could not bring the packages: {done.stderr.strip()}")
