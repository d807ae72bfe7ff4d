"""The description of a peer, for `./space bench`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# Of a port, the folder of what `prepare` has made, and the address of Redis.
Command = Callable[[int, Path, str], list[str]]


def nothing_to_prepare(build_dir: Path) -> None:
    """Peers in Python find what they need in the project's own `.venv`."""


@dataclass(frozen=True)
class Peer:
    """A program to measure.

    `command` is the line that starts it, to be run with `env` added to the environment.
    `prepare(build_dir)` comes first, any number of times. It raises `Problem` where something that
    the peer needs is not on this machine.
    """

    name: str
    command: Command
    uses_redis: bool = False
    protocol: Literal["plain", "socket.io"] = "plain"
    prepare: Callable[[Path], None] = nothing_to_prepare
    env: dict[str, str] = field(default_factory=dict)
