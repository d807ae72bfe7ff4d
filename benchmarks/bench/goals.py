"""The goals of this project for its ticks, held against the figures of one run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.bench.plan import (
    GROUP_SEND,
    LARGE,
    MIDDLE,
    NODE,
    ON_ONE,
    RAW,
    SOCKET_IO,
    TO_COMPARE,
)
from benchmarks.bench.rows import UVICORN, WHOLE

Result = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """`measured` is empty, and `held` None, where the run does not tell."""

    what: str
    goal: str
    measured: str = ""
    held: bool | None = None


def goals(result: Result) -> list[Goal]:
    rows = result["rows"]
    return [
        _ratio(rows, TO_COMPARE, GROUP_SEND, 1 / 6, "at most 1/6"),
        _ratio(rows, MIDDLE, SOCKET_IO, 1 / 2, "at most 1/2"),
        _ratio(rows, MIDDLE, NODE, 1.0, "below 1"),
        _ratio(rows, MIDDLE, RAW, 1.7, "at most 1.7"),
        *_one_core(rows),
        _all_on_one(rows),
        _memory(rows),
        _redis(result.get("redis")),
        _latency(result.get("latency")),
        _storm(result.get("storm")),
        _ends(result.get("ends")),
        _stalled(result.get("stalled")),
        _growth(rows),
    ]


def find(rows: list[Result], peer: str, per_session: Any, sockets: int) -> Result | None:
    """The row, if it has figures."""
    for row in rows:
        case = (row["peer"], row["devices_per_session"], row["sockets"])
        if case == (peer, per_session, sockets) and row.get("cpu_ms_per_1000") is not None:
            return row
    return None


def _ratio(rows: list[Result], sockets: int, peer: str, most: float, goal: str) -> Goal:
    what = f"CPU per tick, 10 devices a session, {sockets:,} sockets, against {peer}"
    ours, theirs = find(rows, UVICORN, 10, sockets), find(rows, peer, 10, sockets)
    if ours is None or theirs is None:
        return Goal(what, goal)
    ratio = ours["cpu_ms_per_1000"] / theirs["cpu_ms_per_1000"]
    shown = f"{ratio:.2f} ({ours['cpu_ms_per_1000']:.1f} / {theirs['cpu_ms_per_1000']:.1f} ms)"
    if theirs.get("saturated"):
        shown += ", which is saturated"
    return Goal(what, goal, shown, ratio <= most)


def _one_core(rows: list[Result]) -> Iterator[Goal]:
    what, goal = f"{LARGE:,} sockets at 1 Hz on one core", "p99 under 50 ms, under 60 % CPU"
    row = find(rows, UVICORN, 10, LARGE)
    if row is None:
        yield Goal(what, goal)
        return
    held = row["p99_ms"] < 50 and row["cpu_percent"] < 60 and not row["missed"]
    yield Goal(what, goal, f"p99 {row['p99_ms']:.1f} ms, {row['cpu_percent']:.0f} %", held)


def _all_on_one(rows: list[Result]) -> Goal:
    what, goal = f"{ON_ONE:,} devices on one session", "p99 under 80 ms"
    row = find(rows, UVICORN, WHOLE, ON_ONE)
    if row is None:
        return Goal(what, goal)
    return Goal(what, goal, f"p99 {row['p99_ms']:.1f} ms", row["p99_ms"] < 80)


def _memory(rows: list[Result]) -> Goal:
    what, goal = f"memory per authenticated socket ({MIDDLE:,} sockets)", "under 40 KB"
    row = find(rows, UVICORN, 10, MIDDLE)
    if row is None:
        return Goal(what, goal)
    return Goal(what, goal, f"{row['kb_per_socket']:.1f} KB", row["kb_per_socket"] < 40)


def _redis(found: Result | None) -> Goal:
    what = "Redis commands a second while 10,000 devices tick and nobody acts"
    goal = "0 for ticks, under 1 for the canary"
    if found is None:
        return Goal(what, goal)
    return Goal(what, goal, f"{found['commands_per_s']:.2f}", found["commands_per_s"] < 1)


def _latency(found: Result | None) -> Goal:
    what = "a command to the other device, two processes, 1,000 sockets ticking"
    goal = "p99 under 50 ms"
    if found is None:
        return Goal(what, goal)
    shown = f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms"
    return Goal(what, goal, shown, found["p99_ms"] < 50)


def _storm(found: Result | None) -> Goal:
    what = "5,000 authenticated reconnects at once on one core"
    goal = "all in step within 8 s, no error"
    if found is None:
        return Goal(what, goal)
    shown = "; ".join(
        f"{name.replace('_', ' ')}: {one['seconds']:.1f} s, {one['errors']} errors"
        for name, one in found.items()
    )
    good = all(
        one["seconds"] <= 8 and not one["errors"] and not one["missed_afterwards"]
        for one in found.values()
    )
    return Goal(what, goal, shown, good)


def _ends(found: Result | None) -> Goal:
    what, goal = (
        "10,000 sessions due in the same second",
        "each ended once, the last under 3 s late",
    )
    if found is None:
        return Goal(what, goal)
    late_ms, wrong = found["late_ms"]["max"], sum(found["audit"].values())
    shown = f"the last {late_ms / 1000:.1f} s late, {wrong} wrong"
    return Goal(what, goal, shown, late_ms < 3_000 and not wrong)


def _stalled(found: Result | None) -> Goal:
    what = "20 of 100 clients stop reading"
    goal = "the other 80 keep a tick a second, p99 unchanged, memory flat"
    if found is None:
        return Goal(what, goal)
    before, now = found["without"], found["with"]
    grown = now["memory_after_mb"] - now["memory_before_mb"]
    p99 = f"p99 {now['p99_ms']:.1f} ms (without: {before['p99_ms']:.1f} ms)"
    shown = f"{now['missed']} ticks missing, {p99}, memory {grown:+.1f} MB"
    same = now["p99_ms"] < before["p99_ms"] + 10  # one slot of the ticker's wheel
    return Goal(what, goal, shown, not now["missed"] and same and grown < 10)


def _growth(rows: list[Result]) -> Goal:
    what = f"growth: CPU per tick from 1,000 to {LARGE:,} sockets"
    goal = "flat (within 30 %)"
    few, many = find(rows, UVICORN, 10, 1_000), find(rows, UVICORN, 10, LARGE)
    if few is None or many is None:
        return Goal(what, goal)
    ratio = many["cpu_ms_per_1000"] / few["cpu_ms_per_1000"]
    shown = f"{few['cpu_ms_per_1000']:.1f} to {many['cpu_ms_per_1000']:.1f} ms ({ratio - 1:+.0%})"
    return Goal(what, goal, shown, ratio <= 1.3)
