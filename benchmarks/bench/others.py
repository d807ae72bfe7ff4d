"""What is measured besides ticks: each takes a `Bench` and the rows so far, and returns figures."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import Any

from benchmarks.bench import client, machine, rest
from benchmarks.bench.populate import EXTRA
from benchmarks.bench.rows import UVICORN, Bench, Case, measure, space
from benchmarks.bench.space import Stage
from benchmarks.bench.statistics import quantile
from benchmarks.device import Account, Device, device
from local.part import Part, guarded
from local.problem import Problem

Figures = dict[str, Any]


# -- all sockets reconnect at once ---------------------------------------------------------------

STORM = 5_000


def storm(bench: Bench, _rows: list[Figures]) -> Figures:
    """A server with nobody on it, then all sockets at once, with what they have seen."""
    return {f"{k}_per_session": _storm(bench, k) for k in (1, 10)}


def _storm(bench: Bench, per_session: int) -> Figures:
    populated = bench.stage.populated
    with bench.stage.serve() as (part, port):
        options: dict[str, Any] = {
            "port": port,
            "protocol": "space",
            "per_session": per_session,
            "seconds": 3,
            "tokens": bench.stage.tokens_file,
            "epoch": populated["epoch"],
            "since": populated["since"],
        }
        with client.load(bench.client, sockets=100, **options) as warm:
            warm.connected()
        assert part.pid is not None
        used_s = machine.cpu_s(part.pid)
        with client.load(
            bench.client, sockets=STORM, connect_rate=0, patience=30, **options
        ) as load:
            connected = load.connected()
            used_s = machine.cpu_s(part.pid) - used_s
            load.begin()
            load.measured(3)
            report = load.report()
    return {
        "sockets": STORM,
        "seconds": connected["seconds"],
        "median_s": connected["median_s"],
        "errors": connected["errors"],
        "closed": connected["closed"],
        "cpu_s": round(used_s, 2),
        "missed_afterwards": report["missed"],
        "p99_ms_afterwards": report["p99_ms"],
    }


# -- a command on one process, the frame on the other --------------------------------------------

TICKING = 1_000
PAIRS, COMMANDS, PAUSE_S = 4, 36, 0.4  # a socket may send 40 frames at once, then two a second
TICKS_MEANWHILE_S = 12


def latency(bench: Bench, _rows: list[Figures]) -> Figures:
    with (
        bench.stage.serve() as (_, one),
        bench.stage.serve(name="space-2") as (_, two),
        client.load(
            bench.client,
            port=one,
            port2=two,
            protocol="space",
            sockets=TICKING,
            per_session=10,
            seconds=TICKS_MEANWHILE_S,
            tokens=bench.stage.tokens_file,
        ) as load,
    ):
        load.connected()
        time.sleep(1)
        load.begin()
        waits = asyncio.run(_commands(bench, one, two))
        load.measured(TICKS_MEANWHILE_S)
        report = load.report()
    return {
        "commands": len(waits),
        "sockets": TICKING,
        "p50_ms": round(quantile(waits, 0.5), 2),
        "p99_ms": round(quantile(waits, 0.99), 2),
        "max_ms": round(max(waits), 2),
        "ticks_p99_ms": report["p99_ms"],
    }


async def _commands(bench: Bench, one: int, two: int) -> list[float]:
    """Milliseconds from sending a command to its frame on another process."""
    tokens, populated = bench.stage.tokens(), bench.stage.populated
    first = len(tokens) - EXTRA
    async with AsyncExitStack() as stack:
        pairs = []
        for n in range(first, first + PAIRS):
            account = Account(f"http://127.0.0.1:{one}", tokens[n], "", {})
            sender = await stack.enter_async_context(device(account))
            other = await stack.enter_async_context(
                device(account.at(f"http://127.0.0.1:{two}"), "Phone")
            )
            pairs.append((sender, other, populated["first_session"] + n))
        waits = await asyncio.gather(
            *(_pair(*pair, after_s=n * PAUSE_S / PAIRS) for n, pair in enumerate(pairs))
        )
    return [wait for some in waits for wait in some]


async def _pair(sender: Device, other: Device, session: int, after_s: float) -> list[float]:
    waits = []
    await asyncio.sleep(after_s)  # people do not act in the same millisecond
    for n in range(COMMANDS):
        action, cause = (("pause", "paused"), ("resume", "resumed"))[n % 2]
        sent = time.monotonic()
        ack = await sender.command(action, session)
        heard = await other.heard_type("session.state", cause=cause, version=ack["version"])
        waits.append((heard["arrived"] - sent) * 1000)
        await asyncio.sleep(PAUSE_S)
    return waits


# -- how late ends are ---------------------------------------------------------------------------


def ends(bench: Bench, _rows: list[Figures]) -> Figures:
    file = bench.stage.home / "ends.json"
    file.unlink(missing_ok=True)
    with machine.on(bench.cores.server | bench.cores.load):  # its servers are its own
        done = subprocess.run(
            guarded([sys.executable, "-m", "benchmarks.ends", "--json", str(file)]),
            capture_output=True,
            text=True,
            env=bench.stage.environment,
            timeout=180,
        )
    if done.returncode != 0 or not file.exists():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Problem(said[-1] if said else "it wrote nothing")
    found: Figures = json.loads(file.read_text())
    found["query_ms"] = {plan["query"]: plan["ms"] for plan in found.pop("plans", [])}
    return found


# -- Redis, and sockets that do not read----------------------------------------------------------

MANY = Case(10, 10_000)


def redis(bench: Bench, rows: list[Figures]) -> Figures:
    """Commands a second while sockets tick and nobody acts. Taken from the row, if there is one."""
    known = [
        row
        for row in rows
        if row["peer"] == UVICORN
        and row["sockets"] == MANY.sockets
        and row["devices_per_session"] == MANY.per_session
        and "redis_commands_per_s" in row
    ]
    row = known[0] if known else measure(bench, space(bench, UVICORN), MANY)
    if "redis_commands_per_s" not in row:
        raise Problem(row.get("why", "there is no row with 10,000 sockets"))
    return {"sockets": row["sockets"], "commands_per_s": row["redis_commands_per_s"]}


READERS, STALLED = 80, 20
EDITS_PER_S = 15.0  # under the limit of requests of one user
STALLED_S = 25


def stalled(bench: Bench, _rows: list[Figures]) -> Figures:
    """All on one session whose changes are large; the same without anybody stalled, to compare."""
    return {"without": _stalled(bench, 0, 8), "with": _stalled(bench, STALLED, STALLED_S)}


def _stalled(bench: Bench, stall: int, seconds: int) -> Figures:
    tokens = bench.stage.tokens()
    alone = bench.stage.home / "token-alone"
    alone.touch(mode=0o600)
    alone.write_text(tokens[-1] + "\n")
    session = bench.stage.populated["first_session"] + len(tokens) - 1
    count = READERS + STALLED
    with (
        bench.stage.serve(SOCKETS_PER_USER=str(count)) as (part, port),
        client.load(
            bench.client,
            port=port,
            protocol="space",
            sockets=count,
            per_session=count,
            seconds=seconds,
            stall=stall,
            tokens=alone,
        ) as load,
    ):
        load.connected()
        time.sleep(1.5)
        assert part.pid is not None
        before_kb = machine.memory_kb(part.pid)
        load.begin()
        with _edits(port, tokens[-1], session) as edits, _memory(part.pid) as most_kb:
            load.measured(seconds)
        after_kb = machine.memory_kb(part.pid)
        report = load.report()
    return {
        "readers": count - stall,
        "stalled": stall,
        "seconds": seconds,
        "edits": edits[0],
        "cut": report["cut"],
        "p50_ms": report["p50_ms"],
        "p99_ms": report["p99_ms"],
        "missed": report["missed"],
        "memory_before_mb": round(before_kb / 1024, 1),
        "memory_most_mb": round(max(most_kb[0], after_kb) / 1024, 1),
        "memory_after_mb": round(after_kb / 1024, 1),
    }


@contextmanager
def _edits(port: int, token: str, session: int) -> Iterator[list[int]]:
    """Renames the session again and again meanwhile. How often, in a list of one."""
    done = [0]

    def keep_editing(stop: threading.Event) -> None:
        with rest.Connection(port) as connection:
            while not stop.wait(1 / EDITS_PER_S):
                title = f"Write the report, draft {done[0]} " + "x" * 40
                status = connection.ask("PATCH", f"/sessions/{session}/", token, {"title": title})
                done[0] += status == 200

    with _beside(keep_editing):
        yield done


@contextmanager
def _memory(pid: int) -> Iterator[list[int]]:
    """The most memory of the process meanwhile, in KB, in a list of one."""
    most = [0]

    def keep_looking(stop: threading.Event) -> None:
        while not stop.wait(0.5):
            most[0] = max(most[0], machine.memory_kb(pid))

    with _beside(keep_looking):
        yield most


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


# -- REST ----------------------------------------------------------------------------------------

REST_S = 6.0


def over_rest(bench: Bench, _rows: list[Figures]) -> Figures:
    with bench.stage.serve() as (part, port):
        return requests(bench.stage, part, port)


def users_of_requests(made: Stage) -> tuple[list[str], int]:
    """The tokens of users who are free for requests, and the session of the first one."""
    tokens = made.tokens()
    first = len(tokens) - EXTRA + PAIRS
    return tokens[first:-1], made.populated["first_session"] + first


def requests(made: Stage, part: Part, port: int) -> Figures:
    """Requests a second of a server that does nothing else, and what one costs it."""
    tokens, session = users_of_requests(made)
    assert part.pid is not None
    rest.reads(port, tokens, 1.0)  # what is loaded at the first request
    found = {}
    for name, how in (
        ("GET /sessions/", partial(rest.reads, port, tokens, REST_S)),
        ("POST pause, resume", partial(rest.commands, port, tokens, session, REST_S)),
    ):
        used_s, began = machine.cpu_s(part.pid), time.monotonic()
        asked = how()
        took, used_s = time.monotonic() - began, machine.cpu_s(part.pid) - used_s
        count = max(1, len(asked.waits_ms))
        found[name] = {
            "requests_per_s": round(count / took, 1),
            "cpu_ms_per_request": round(used_s * 1000 / count, 2),
            "p50_ms": round(quantile(asked.waits_ms, 0.5), 1),
            "p99_ms": round(quantile(asked.waits_ms, 0.99), 1),
            "errors": asked.errors,
        }
    return found


Take = Callable[[Bench, list[Figures]], Figures]
FIRST: dict[str, Take] = {
    "storm": storm,
    "stalled": stalled,
    "latency": latency,
    "ends": ends,
    "rest": over_rest,
}
AFTER_TICKS: dict[str, Take] = {"redis": redis}  # it may find its figure among their rows
ALL = FIRST | AFTER_TICKS
