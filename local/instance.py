"""One `./space run` at a time in a checkout, and its address for other commands.

A lock of the kernel says whether it is running, since the lock ends with the process in every case;
the file says where.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local.leftovers import end_process
from local.part import wait_for
from local.problem import Problem


@dataclass
class Instance:
    pid: int
    address: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=dict)

    def write(self, file: Path) -> None:
        """It holds passwords: only their owner may read them."""
        unfinished = file.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(asdict(self), indent=1))
        unfinished.replace(file)


class AlreadyRunning(Problem):
    pass


def state_file(space: Path) -> Path:
    return space / "run.json"


@contextmanager
def the_only_one(space: Path, marker: str) -> Iterator[Instance]:
    """Claim the servers of this checkout, or raise `AlreadyRunning`.

    `marker` is in the arguments of all our processes, to tell them from others.
    """
    with (space / "run.lock").open("a") as lock:
        # `running` holds the lock for a moment.
        if not wait_for(lambda: _try_lock(lock.fileno(), fcntl.LOCK_EX), 0.5):
            raise AlreadyRunning(_who_runs(_read(space)))
        _end_leftovers(_read(space), marker)
        instance = Instance(os.getpid())
        instance.write(state_file(space))
        try:
            yield instance
        finally:
            state_file(space).unlink(missing_ok=True)


def running(space: Path) -> Instance | None:
    """The instance that runs now, once its servers have started."""
    with suppress(FileNotFoundError), (space / "run.lock").open() as lock:
        if not _try_lock(lock.fileno(), fcntl.LOCK_SH):
            instance = _read(space)
            return instance if instance and instance.environment else None
    return None


def _try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(space: Path) -> Instance | None:
    with suppress(OSError, ValueError, TypeError):
        return Instance(**json.loads(state_file(space).read_text()))
    return None


def _who_runs(instance: Instance | None) -> str:
    if instance is None:
        return "Space is already starting or stopping in this checkout."
    where = f"at {instance.address}" if instance.address else "without a server (./space manage)"
    return f"Space is already running in this checkout, {where} (process {instance.pid})."


def _end_leftovers(instance: Instance | None, marker: str) -> None:
    """End the processes that a killed run has left, where the kernel did not."""
    processes: Mapping[str, int] = instance.processes if instance else {}
    for pid in processes.values():
        end_process(pid, marker)
