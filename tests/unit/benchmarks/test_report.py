"""The goals, the document and the plan of `./space bench`."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from benchmarks.bench import machine, plan, report
from benchmarks.bench.goals import goals
from benchmarks.bench.rows import UVICORN, WHOLE, Case, better_of, is_saturated
from benchmarks.bench.statistics import quantile

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="./space bench needs Linux")


def row(peer: str, sockets: int, cpu: float, **more: Any) -> dict[str, Any]:
    return {
        "peer": peer,
        "devices_per_session": 10,
        "sockets": sockets,
        "cpu_ms_per_1000": cpu,
        "cpu_percent": cpu * sockets / 10_000,
        "p50_ms": 5.0,
        "p99_ms": 12.0,
        "max_ms": 20.0,
        "kb_per_socket": 26.0,
        "missed": 0,
        "saturated": False,
        "disturbed": False,
        "foreign": {"server": 0.0, "load": 0.0},
    } | more


def result(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "rows": list(rows),
        "left_out": [],
        "disturbed": {},
        "seconds": [10, 6],
        "patience_s": 30.0,
        "took_s": 1_200.0,
        "machine": {
            "cores": "2",
            "system": "Linux",
            "python": "3.11",
            "pinning": "server on core 1",
            "open_files": 20_000,
            "load_client": "C",
            "versions": {"django": "5.2"},
        },
    } | more


def came_back(seconds: float) -> dict[str, Any]:
    return {"seconds": seconds, "errors": 0, "missed_afterwards": 0}


def held(found: dict[str, Any]) -> dict[str, bool | None]:
    return {goal.what: goal.held for goal in goals(found)}


@pytest.mark.parametrize(("q", "value"), [(0, 1), (0.5, 3), (0.99, 4), (1, 5)])
def test_a_quantile_is_one_of_the_values(q: float, value: float) -> None:
    assert quantile([5, 3, 1, 4, 2], q) == value
    assert quantile([], q) == -1


def test_a_goal_is_a_ratio_of_two_rows_of_one_run() -> None:
    found = result(row(UVICORN, 4_000, 20), row("group_send (pub/sub)", 4_000, 200))
    (ratio,) = [goal for goal in goals(found) if "group_send" in goal.what]
    assert ratio.held
    assert ratio.measured.startswith("0.10 (20.0 / 200.0 ms)")
    found["rows"][0]["cpu_ms_per_1000"] = 40
    assert held(found)[ratio.what] is False


def test_a_goal_without_its_rows_was_not_measured() -> None:
    assert set(held(result()).values()) == {None}
    assert "not measured" in report.document(result())


@pytest.mark.parametrize(("many", "good"), [(25.9, True), (26.1, False), (10, True)])
def test_growth_may_be_thirty_percent(many: float, good: bool) -> None:
    found = result(row(UVICORN, 1_000, 20), row(UVICORN, 19_000, many))
    assert [goal.held for goal in goals(found) if goal.what.startswith("growth")] == [good]


@pytest.mark.parametrize(
    ("change", "good"), [({}, True), ({"errors": 1}, False), ({"seconds": 9.0}, False)]
)
def test_a_storm_must_be_short_and_leave_nobody_out(change: dict[str, Any], good: bool) -> None:
    one = came_back(5.0)
    found = result(storm={"1_per_session": one | change, "10_per_session": one})
    assert [goal.held for goal in goals(found) if "reconnects" in goal.what] == [good]


def test_the_document_shows_each_case_as_a_table_and_what_is_wrong_with_a_row() -> None:
    text = report.document(
        result(
            row(UVICORN, 2_000, 25.04),
            row("raw C", 2_000, 12, disturbed=True, foreign={"server": 0.5, "load": 0.25}),
            row("raw C", 4_000, 12, missed=1_234, saturated=True),
            row("Node ws", 4_000, 12, cpu_ms_per_1000=None, why="saturated with fewer sockets"),
            redis={"sockets": 10_000, "commands_per_s": 0.4},
            storm={"1_per_session": came_back(3.0), "10_per_session": came_back(2.5)},
            left_out=["ends: not here"],
        )
    )
    assert "### 10 devices a session, 2,000 sockets" in text
    assert "| Space (uvicorn) | 25.0 |" in text
    assert "disturbed (50% of its core, 25% of the load's)" in text
    assert "saturated, 1,234 ticks missing" in text
    assert "saturated with fewer sockets" in text
    assert "| seconds | 3 | 2.5 |" in text
    assert "- ends: not here" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_a_saturated_peer_is_not_tried_with_more_sockets() -> None:
    rows = [row("raw C", 4_000, 12, saturated=True)]
    assert plan.is_hopeless("raw C", Case(10, 10_000), rows)
    assert not plan.is_hopeless("raw C", Case(10, 2_000), rows)
    assert not plan.is_hopeless("raw C", Case(1, 10_000), rows)
    assert not plan.is_hopeless("Node ws", Case(10, 10_000), rows)
    rows[0] |= {"disturbed": True, "keeps_up": True}
    assert not plan.is_hopeless("raw C", Case(10, 10_000), rows)


def test_a_row_is_saturated_when_ticks_are_late_or_missing() -> None:
    assert not is_saturated(999.0, 5, 1_000)
    assert is_saturated(1_001.0, 0, 1_000)
    assert is_saturated(12.0, 6, 1_000)
    assert is_saturated(-1.0, 0, 1_000), "no tick at all"


def test_of_two_attempts_the_less_disturbed_one_counts() -> None:
    loud = row(UVICORN, 1_000, 30, foreign={"server": 0.3, "load": 0.1})
    quiet = row(UVICORN, 1_000, 40, foreign={"server": 0.01, "load": 0.1})
    assert better_of(loud, quiet) is quiet
    assert better_of(quiet, loud) is quiet


def test_the_plan_stays_below_the_limit_of_open_files() -> None:
    names = [UVICORN, "raw C"]
    assert plan.largest(20_000) == 19_000
    assert plan.largest(1_048_576) == 19_000
    assert plan.largest(4_096) == 3_000
    cases = list(plan.full(names, plan.largest(4_096)))
    assert max(case.sockets for _, case in cases) == 3_000
    assert len(cases) == len(set(cases))
    assert (UVICORN, Case(WHOLE, 5_000)) in list(plan.full(names, 19_000))
    assert plan.users_for([(UVICORN, Case(10, 19_000)), ("raw C", Case(1, 19_000))]) == 1_900


@on_linux
def test_a_core_of_its_own_for_the_server() -> None:
    cores = machine.Cores.of_this_machine()
    assert not cores.server & cores.load
    if cores.pinned:
        with machine.on(cores.server):
            assert os.sched_getaffinity(0) == cores.server
        assert os.sched_getaffinity(0) >= cores.server | cores.load


@on_linux
def test_cpu_time_and_memory_of_a_process_are_its_own() -> None:
    before = machine.cpu_s(os.getpid())
    sum(range(200_000))
    assert 0 < machine.cpu_s(os.getpid()) - before < 5
    assert 5_000 < machine.memory_kb(os.getpid()) < 5_000_000


@on_linux
def test_the_share_of_other_programs_is_a_number_or_not_known() -> None:
    cores = machine.Cores.of_this_machine()
    watch = machine.Watch(cores, [os.getpid()])
    sum(range(200_000))
    foreign = watch.foreign()
    assert foreign.keys() == ({"server", "load"} if cores.pinned else set())
    assert all(share >= 0 for share in foreign.values())
    assert not machine.is_disturbed({})
    assert machine.is_disturbed({"server": 0.5, "load": 0.0})
