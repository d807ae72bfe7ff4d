"""The rows of ticks, one after the other, as far as time allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.bench import plan, report
from benchmarks.bench.rows import CONNECT_RATE, Bench, Case, Contender, better_of, failed, measure
from local.console import say

Row = dict[str, Any]
Cases = list[tuple[str, Case]]
AROUND_S = 5.0  # a server's start, and what comes after the measured seconds
AGAIN_S = 180.0  # for second tries: where something else runs all the time they do not help


def take(
    bench: Bench,
    contenders: dict[str, Contender],
    cases: Cases,
    left_s: Callable[[], float],
    *,
    again: bool,
) -> tuple[list[Row], list[str]]:
    """The rows, and what was left out for time, a line for each case.

    `left_s` says how many seconds are left; `again`: disturbed rows get a second try.
    """
    rows: list[Row] = []
    skipped: dict[Case, list[str]] = {}
    again_s = AGAIN_S if again else 0.0
    say(report.HEADING)
    for name, case in cases:
        if plan.is_hopeless(name, case, rows):
            rows.append(case.row(name, saturated=True, why="saturated with fewer sockets"))
        elif left_s() < _takes_s(bench, case):
            skipped.setdefault(case, []).append(name)
            continue
        else:
            rows.append(_one(bench, contenders[name], case))
            first = rows[-1]
            if first.get("disturbed") and not first["saturated"] and first["took_s"] < again_s:
                say(f"{report.line(first)}: again")
                second = _one(bench, contenders[name], case)
                again_s -= second["took_s"]
                rows[-1] = better_of(first, second)
        say(report.line(rows[-1]))
    return rows, [_words(case, names) for case, names in skipped.items()]


def _one(bench: Bench, contender: Contender, case: Case) -> Row:
    began = time.monotonic()
    try:
        row = measure(bench, contender, case)
    except Exception as error:  # the other rows are kept
        row = failed(contender, case, error)
    return row | {"took_s": round(time.monotonic() - began, 1)}


def _words(case: Case, names: list[str]) -> str:
    return f"{case.sockets:,} sockets, {case.per_session} a session: {', '.join(names)}"


def _takes_s(bench: Bench, case: Case) -> float:
    pace = bench.pace
    connecting_s = case.sockets / CONNECT_RATE
    return AROUND_S + connecting_s + pace.warm_up + pace.seconds(case)
