"""The peer in C, compiled."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.peers.peer import CannotRun

SOURCE = Path(__file__).resolve().parent / "raw.c"
PROGRAM = "raw"
FLAGS = ["-O2", "-std=gnu11", "-Wall", "-Wextra"]


def build(build_dir: Path) -> None:
    """The program, made anew when its source is."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise CannotRun("No C compiler is on this machine.")
    program = build_dir / PROGRAM
    if program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime:
        return
    build_dir.mkdir(parents=True, exist_ok=True)
    command = [compiler, *FLAGS, "-o", str(program), str(SOURCE)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if made.returncode != 0:
        raise CannotRun(f"raw.c does not compile here: {made.stderr.strip()}")
