"""The rows of ticks, one after the other, as far as time allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.bench import client, plan, report
from benchmarks.bench.rows import Bench, Case, Contender, better_of, failed, measure
from local.console import say
from local.part import PartFailed

Row = dict[str, Any]
Cases = list[tuple[str, Case]]
CONNECTED_PER_S = 1_400  # sockets of Space that authenticate in a second, at worst
AROUND_S = 5.0  # a server's start, and what comes after the measured seconds


def take(
    bench: Bench,
    contenders: dict[str, Contender],
    cases: Cases,
    left_s: Callable[[], float],
    *,
    again: bool,
) -> tuple[list[Row], list[str]]:
    """The rows, and what was left out for time.

    `left_s` says how many seconds are left; `again`: disturbed rows get a second try.
    """
    rows: list[Row] = []
    skipped = []
    say(report.HEADING)
    for name, case in cases:
        if plan.is_hopeless(name, case, rows):
            rows.append(_hopeless(name, case))
        elif left_s() < _takes_s(bench, case):
            skipped.append(f"{name} with {case.sockets:,} sockets, {case.per_session} a session")
            continue
        else:
            rows.append(_one(bench, contenders[name], case))
            has_time = left_s() > 4 * _takes_s(bench, case)
            if again and has_time and rows[-1].get("disturbed") and not rows[-1]["saturated"]:
                say(f"{report.line(rows[-1])}: again")
                rows.append(better_of(rows.pop(), _one(bench, contenders[name], case)))
        say(report.line(rows[-1]))
    return rows, skipped


def _one(bench: Bench, contender: Contender, case: Case) -> Row:
    began = time.monotonic()
    try:
        row = measure(bench, contender, case)
    except (PartFailed, client.Failed) as error:
        row = failed(contender, case, error)
    return row | {"took_s": round(time.monotonic() - began, 1)}


def _hopeless(name: str, case: Case) -> Row:
    return {
        "peer": name,
        "devices_per_session": case.per_session,
        "sockets": case.sockets,
        "saturated": True,
        "why": "saturated with fewer sockets",
    }


def _takes_s(bench: Bench, case: Case) -> float:
    pace = bench.pace
    return AROUND_S + case.sockets / CONNECTED_PER_S + pace.warm_up + pace.measured
