"""Compiles the C programs of the benchmark: the load client, and the peer in C."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from local.problem import Problem

FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra")


def compiled(source: Path, folder: Path) -> Path:
    """The program, in this folder; compiled again only when its source has changed."""
    program = folder / source.stem
    if program.exists() and program.stat().st_mtime >= source.stat().st_mtime:
        return program
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Problem(
            "`./space bench` needs a C compiler (`cc`): install gcc or clang, for example with "
            "`apt install gcc`."
        )
    folder.mkdir(parents=True, exist_ok=True)
    command = [compiler, *FLAGS, "-o", str(program), str(source)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if made.returncode != 0:
        raise Problem(f"{source.name} does not compile here: {made.stderr.strip()}")
    return program
