"""This machine (Linux): its cores, its limits, and what other programs do meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
# Shares of a core. What other programs take of the server's core falls on its caches and on its
# punctuality; of the load's cores it makes ticks look later than they were.
DISTURBED_SERVER = 0.03
DISTURBED_LOAD = 0.10
DISTURBED_ALL = DISTURBED_SERVER + DISTURBED_LOAD


@dataclass(frozen=True)
class Cores:
    """Which core runs the server, and which run all the rest. Both empty: nothing is pinned."""

    server: frozenset[int]
    load: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> Cores:
        ours = sorted(os.sched_getaffinity(0))
        if len(ours) < 2:
            return cls(frozenset(), frozenset())
        return cls(frozenset(ours[-1:]), frozenset(ours[:-1]))  # interrupts like the first one

    @property
    def pinned(self) -> bool:
        return bool(self.server)

    def words(self) -> str:
        if not self.pinned:
            return "nothing is pinned: this machine has one core, or does not let us choose"
        load = ", ".join(map(str, sorted(self.load)))
        return f"server on core {min(self.server)}; load, PostgreSQL and Valkey on {load}"


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """Programs that are started within run on these cores, from their first moment."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_file_limit() -> int:
    """Open files that we and what we start may have from now on."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 1_048_576
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def cpu_s(pid: int) -> float:
    """Seconds of CPU that the process has used, all its threads, those that ended too.

    The kernel's own count in nanoseconds; /proc/PID/stat has hundredths of a second.
    """
    return time.clock_gettime((~pid << 3) | 2)


def memory_kb(pid: int) -> int:
    """Resident memory of the process, in KB."""
    status = (PROC / str(pid) / "status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Watch:
    """What other programs take of our cores between its making and `foreign()`."""

    def __init__(self, cores: Cores, servers: list[int]) -> None:
        self._cores, self._servers = cores, servers
        self._before = self._look()

    def foreign(self) -> dict[str, float]:
        """Shares of a core: of the server's core, of all of the load's. Empty: not known.

        Busy time of the cores less that of our processes; `steal`, which a host takes, is busy.
        """
        if self._before is None or (now := self._look()) is None:
            return {}
        at, busy_server, busy_load, ours_server, ours_load = (
            new - old for new, old in zip(now, self._before, strict=True)
        )
        return {
            "server": max(0.0, (busy_server - ours_server) / at),
            "load": max(0.0, (busy_load - ours_load) / at),
        }

    def _look(self) -> tuple[float, float, float, float, float] | None:
        if not self._cores.pinned:
            return None
        busy_server, busy_load = _busy_s(self._cores.server), _busy_s(self._cores.load)
        servers = sum(cpu_s(pid) for pid in self._servers)
        ours = _tree_cpu_s(os.getpid(), without=set(self._servers))
        return time.monotonic(), busy_server, busy_load, servers, ours


class WatchAll:
    """The same for all of our cores together, where servers come and go meanwhile."""

    def __init__(self, cores: Cores) -> None:
        self._cores = cores.server | cores.load
        self._before = self._look()

    def foreign(self) -> float | None:
        """In cores. None: not known."""
        if self._before is None or (now := self._look()) is None:
            return None
        at, busy, ours = (new - old for new, old in zip(now, self._before, strict=True))
        return max(0.0, (busy - ours) / at)

    def _look(self) -> tuple[float, float, float] | None:
        if not self._cores:
            return None
        return time.monotonic(), _busy_s(self._cores), _tree_cpu_s(os.getpid(), set())


def is_disturbed(foreign: dict[str, float]) -> bool:
    return foreign.get("server", 0) > DISTURBED_SERVER or foreign.get("load", 0) > DISTURBED_LOAD


def _busy_s(cores: frozenset[int]) -> float:
    """Seconds that these cores were not idle, from some moment on.

    From the idle time, which the kernel counts exactly; what is busy it may only sample.
    """
    busy = 0.0
    for line in (PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            busy += time.monotonic() - (int(fields[3]) + int(fields[4])) * TICK_S
    return busy


def _tree_cpu_s(root: int, without: set[int]) -> float:
    """Seconds of CPU of a process and all below it, ended children that were waited for too."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            try:
                after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            pid = int(folder.name)
            parents[pid] = int(after_name[1])
            used[pid] = sum(map(int, after_name[11:15])) * TICK_S
    return sum(used[pid] for pid in used if pid not in without and _is_below(pid, root, parents))


def _is_below(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid > 1:
        if pid == root:
            return True
        pid = parents.get(pid, 0)
    return False


def description() -> dict[str, str]:
    """What stands in the report. No name of the machine."""
    found = {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            found["processor"] = line.partition(":")[2].strip()
            break
    return found
