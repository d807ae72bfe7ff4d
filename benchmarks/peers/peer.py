"""What the harness knows of a peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Command = Callable[[int, str, Path, str, Path], list[str]]


def nothing_to_prepare(build_dir: Path) -> None:
    """What Python peers need is in the project's own `.venv`."""


@dataclass(frozen=True)
class Peer:
    """A program to measure. `needs`: what else must be there, beside Python.

    `command(port, python, node_dir, redis_url, build_dir)` is the line that starts it, to be run
    with `env` added to the environment; `prepare(build_dir)` comes before it, as often as one
    likes, and may raise `Problem`. `node_dir` is where `prepare` has put what runs on Node: the
    `build_dir` that it was given.
    """

    name: str
    command: Command
    needs: tuple[Literal["node", "redis", "cc"], ...] = ()
    protocol: Literal["plain", "socket.io"] = "plain"
    prepare: Callable[[Path], None] = nothing_to_prepare
    env: dict[str, str] = field(default_factory=dict)
