"""One row of the table: so many sockets, so many to a session, on one server, for some seconds."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import client, machine
from benchmarks.bench.space import ALL_SOCKETS, Stage, redis_commands, running
from benchmarks.peers import Peer
from local import network
from local.part import Part

SATURATED_P99_MS = 1_000
SATURATED_MISSED = 0.005  # of the ticks that should have come, or of the sockets
CONNECT_RATE = 2_000  # sockets a second, where they are let in as fast
AT_LEAST_IN = 0.2  # of the sockets: with less there is no row
UVICORN, DAPHNE = "Space (uvicorn)", "Space (daphne)"
WHOLE = "all"
USUAL = 10  # devices to a session

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`per_session` is a number, or "all"."""

    per_session: int | str
    sockets: int

    @property
    def to_a_session(self) -> int:
        return self.sockets if self.per_session == WHOLE else int(self.per_session)

    def row(self, peer: str, **figures: Any) -> Row:
        """The row of this case for a peer."""
        names = {"peer": peer, "devices_per_session": self.per_session, "sockets": self.sockets}
        return names | figures


@dataclass(frozen=True)
class Pace:
    """Seconds: how long connecting may take at least, what is waited then, what is measured.

    `beside` is measured where other than ten devices are on a session: those rows are many.
    """

    patience: float = 30.0
    warm_up: float = 2.5
    measured: int = 10
    beside: int = 6

    def seconds(self, case: Case) -> int:
        """What is measured."""
        return self.measured if case.per_session == USUAL else self.beside

    def connecting(self, case: Case) -> float:
        """How long connecting may take."""
        return self.patience + case.sockets / 1_000


@dataclass(frozen=True)
class Contender:
    """Something that sends ticks, as a process on the server's core."""

    name: str
    protocol: str
    process: Callable[[int], Any]  # a context that gives (part, port); of how many to a session
    uses_redis: bool = False


@dataclass
class Bench:
    """What all measurements need."""

    stage: Stage
    cores: machine.Cores
    client: Path
    pace: Pace


def space(bench: Bench, name: str) -> Contender:
    kind = {UVICORN: "uvicorn", DAPHNE: "daphne"}[name]

    @contextmanager
    def process(to_a_session: int) -> Iterator[tuple[Part, int]]:
        more = {"SOCKETS_PER_USER": str(ALL_SOCKETS)} if to_a_session > 10 else {}
        with bench.stage.serve(kind, **more) as served:
            yield served

    return Contender(name, "space", process, uses_redis=True)


def peer(bench: Bench, one: Peer, build: Path) -> Contender:
    """One of `benchmarks.peers`, prepared."""

    @contextmanager
    def process(_to_a_session: int) -> Iterator[tuple[Part, int]]:
        port = network.free_port()
        program, *rest = one.command(port, build, bench.stage.redis_url)
        log = bench.stage.log("peer")
        part = Part(
            one.name,
            [shutil.which(program) or program, *rest],
            log,
            os.environ | one.env,
            lambda part: log.exists() and "ready" in log.read_text().split(),
        )
        with running(part, bench.cores):
            yield part, port

    return Contender(one.name, one.protocol, process, one.uses_redis)


def measure(bench: Bench, contender: Contender, case: Case, **more: Any) -> Row:
    """The row. `more` are options of the load client."""
    tokens = bench.stage.tokens_file if contender.protocol == "space" else None
    seconds = bench.pace.seconds(case)
    row = case.row(contender.name, seconds=seconds, saturated=False, disturbed=False)
    with contender.process(case.to_a_session) as (part, port):
        pid = part.pid
        assert pid is not None
        empty_kb = machine.memory_kb(pid)
        with client.load(
            bench.client,
            port=port,
            protocol=contender.protocol,
            sockets=case.sockets,
            per_session=case.to_a_session,
            seconds=seconds,
            connect_rate=CONNECT_RATE,
            patience=bench.pace.connecting(case),
            tokens=tokens,
            **more,
        ) as load:
            connected = load.connected()
            row["connect_s"], row["errors"] = connected["seconds"], connected["errors"]
            row["refused"] = connected["closed"]
            if connected["sockets"] < case.sockets * AT_LEAST_IN:
                return row | {"saturated": True, "why": f"{connected['errors']} did not connect"}
            time.sleep(bench.pace.warm_up)
            row |= _while_it_ticks(bench, contender, load, pid, seconds)
            row["kb_per_socket"] = round(
                (machine.memory_kb(pid) - empty_kb) / connected["sockets"], 1
            )
            row |= _received(load.report(), row.pop("cpu_ms"), row.pop("redis_ms"))
            row["keeps_up"] = not row["saturated"]  # with those that are in
            row["saturated"] |= connected["errors"] > case.sockets * SATURATED_MISSED
    return row


def _while_it_ticks(
    bench: Bench, contender: Contender, load: client.Load, pid: int, seconds: int
) -> Row:
    """What the server used in the measured seconds, and what else ran on our cores."""
    stage, valkey = bench.stage, bench.stage.pid_of("Valkey")
    counts = contender.uses_redis and valkey is not None
    commands = redis_commands(stage.redis_url) if counts else 0
    redis_s = machine.cpu_s(valkey) if counts and valkey else 0.0
    watch = machine.Watch(bench.cores, [pid])
    began, used_s = time.monotonic(), machine.cpu_s(pid)
    load.begin()
    load.measured(seconds)
    used_s, took = machine.cpu_s(pid) - used_s, time.monotonic() - began
    foreign = watch.foreign()
    row: Row = {
        "cpu_ms": used_s * 1000,
        "redis_ms": 0.0,
        "cpu_percent": round(used_s / took * 100, 1),
        "foreign": {name: round(share, 3) for name, share in foreign.items()},
        "disturbed": machine.is_disturbed(foreign),
    }
    if counts and valkey:
        row["redis_ms"] = (machine.cpu_s(valkey) - redis_s) * 1000
        row["redis_commands_per_s"] = round((redis_commands(stage.redis_url) - commands) / took, 2)
    return row


def _received(report: dict[str, Any], cpu_ms: float, redis_ms: float) -> Row:
    thousands = report["delivered"] / 1000
    missed = report["missed"]
    return {
        "cpu_ms_per_1000": round(cpu_ms / thousands, 2) if thousands else None,
        "redis_cpu_ms_per_1000": round(redis_ms / thousands, 2) if thousands else None,
        "p50_ms": round(report["p50_ms"], 2),
        "p99_ms": round(report["p99_ms"], 2),
        "max_ms": round(report["max_ms"], 2),
        "missed": missed,
        "ticks": report["ticks"],
        "per_socket": [report["per_socket_min"], report["per_socket_max"]],
        "histogram": report["histogram"],
        "closed": report["closed"],
        "cut": report.get("cut", 0),
        "load_cpu_s": round(report["cpu_s"], 2),
        "saturated": is_saturated(report["p99_ms"], missed, report["expected"]),
    }


def is_saturated(p99_ms: float, missed: int, expected: int) -> bool:
    return p99_ms > SATURATED_P99_MS or p99_ms < 0 or missed > expected * SATURATED_MISSED


def better_of(first: Row, second: Row) -> Row:
    """Of two attempts, the one that less other load fell on."""

    def trouble(row: Row) -> float:
        return float(sum(row.get("foreign", {}).values()))

    return min(first, second, key=trouble)


def failed(contender: Contender, case: Case, error: Exception) -> Row:
    """The row of a contender that did not get that far."""
    why = (str(error) or type(error).__name__).splitlines()[0]
    return case.row(contender.name, saturated=isinstance(error, client.Failed), why=why)
