"""What `./space test` adds to the arguments for pytest."""

import os
from collections.abc import Sequence
from pathlib import Path

MOST_WORKERS = 4  # each has a database of its own, which takes a moment to make
WAITING = 1  # workers more than cores: for most of its time a test waits for something to happen


def for_the_whole_suite() -> list[str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ["-n", str(min(MOST_WORKERS, (cores or 1) + WAITING))]


def complete(arguments: Sequence[str], here: Path, root: Path) -> list[str]:
    """The whole suite runs in parallel; a part of it is sooner done without workers."""
    found = [_seen_from(root, argument, here) for argument in arguments]
    names_a_part = any((root / argument.split("::")[0]).exists() for argument in found)
    talks = {"--pdb", "--trace", "-s", "--collect-only", "--co"} & set(found)
    chosen = any(argument.startswith(("-n", "--numprocesses", "-p")) for argument in found)
    return [*found] if names_a_part or talks or chosen else [*for_the_whole_suite(), *found]


def _seen_from(root: Path, argument: str, here: Path) -> str:
    """A path that was typed in another folder than the checkout's."""
    path, separator, rest = argument.partition("::")
    if path and not path.startswith("-") and not (root / path).exists() and (here / path).exists():
        return f"{here / path}{separator}{rest}"
    return argument
