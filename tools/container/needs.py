"""The needs of `./space check container`: a table, with a remedy for each line."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.console import complain
from tools.container.commands import program

CANNOT_RUN_HERE = 3  # the exit code: not a failure of the image, and not a success either


@dataclass(frozen=True)
class Need:
    what: str
    is_met: Callable[[], bool]
    remedy: str
    required: bool = True  # else its steps are left out, and that is said


def _program(name: str, remedy: str, *, required: bool = True) -> Need:
    return Need(name, lambda: Path(program(name)).is_absolute(), remedy, required)


NEEDS = (
    Need("Linux", lambda: sys.platform.startswith("linux"), "run it on Linux, or leave it to CI"),
    Need(
        "root",
        lambda: hasattr(os, "geteuid") and os.geteuid() == 0,
        "run it as root: it makes a file system of Debian and mounts it",
    ),
    _program("buildah", "apt install buildah"),
    _program("debootstrap", "apt install debootstrap"),
    _program("runc", "apt install runc"),
    _program("nginx", "apt install nginx-light", required=False),
    _program("caddy", "apt install caddy", required=False),
)


def unmet(needs: Sequence[Need] = NEEDS) -> bool:
    """Whether the check cannot run here. Names each missing need and its remedy."""
    missing = [need for need in needs if not need.is_met()]
    for need in missing:
        so = "needs" if need.required else "runs without"
        complain(f"./space check container {so} {need.what}: {need.remedy}")
    return any(need.required for need in missing)
