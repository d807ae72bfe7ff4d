"""Which rows are run, the most telling first: the last are left out when time is up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.bench.rows import DAPHNE, UVICORN, WHOLE, Case

GROUP_SEND, GROUP_SEND_CORE = "group_send (pub/sub)", "group_send (core)"
NODE, RAW = "Node ws", "raw C"
SOCKET_IO = "socket.io (Redis adapter)"
SMALL, MIDDLE, LARGE = 2_000, 10_000, 19_000
TO_COMPARE = 4_000  # where group_send over Redis is saturated
GROWTH = (1_000, TO_COMPARE, MIDDLE, LARGE)
ON_ONE = 5_000  # devices on one session
RESERVE = 1_000  # open files that are not sockets of the load


def largest(open_files: int) -> int:
    """The most sockets that this limit allows, in thousands; more than LARGE are not tried."""
    return max(SMALL, min(LARGE, (open_files - RESERVE) // 1_000 * 1_000))


def quick(names: Iterable[str]) -> Iterator[tuple[str, Case]]:
    known = set(names)
    for sockets, peers in (
        (TO_COMPARE, (UVICORN, NODE, SOCKET_IO, RAW, GROUP_SEND)),
        (MIDDLE, (UVICORN, RAW, NODE, SOCKET_IO)),
    ):
        yield from ((name, Case(10, sockets)) for name in peers if name in known)


def full(names: Iterable[str], most: int) -> Iterator[tuple[str, Case]]:
    """By the questions of the goals; within a case, turn by turn."""
    names = list(names)
    at_4000 = (UVICORN, GROUP_SEND, GROUP_SEND_CORE, NODE, SOCKET_IO, RAW)
    cases: list[tuple[Case, Iterable[str]]] = [
        (Case(10, TO_COMPARE), at_4000),
        (Case(10, MIDDLE), names),
        (Case(WHOLE, ON_ONE), (UVICORN,)),
        (Case(10, min(LARGE, most)), names),
        (Case(10, SMALL), names),
        (Case(10, GROWTH[0]), (UVICORN,)),
        *((Case(k, n), names) for n in (SMALL, MIDDLE, most) for k in (1, WHOLE)),
    ]
    seen = set()
    for case, wanted in cases:
        for name in wanted:
            if name in names and (name, case) not in seen and case.sockets <= most:
                seen.add((name, case))
                yield name, case


def is_hopeless(name: str, case: Case, rows: list[dict[str, Any]]) -> bool:
    """Whether this peer was saturated with fewer sockets already.

    Not if all that was wrong is that some did not get in while other programs were in the way.
    """
    return any(
        row["peer"] == name
        and row["devices_per_session"] == case.per_session
        and row["sockets"] < case.sockets
        and row["saturated"]
        and not (row.get("disturbed") and row.get("keeps_up"))
        for row in rows
    )


def users_for(cases: Iterable[tuple[str, Case]]) -> int:
    """How many users Space needs for all of them."""
    needed = [-(-c.sockets // c.to_a_session) for n, c in cases if n in (UVICORN, DAPHNE)]
    return max([500, *needed])
