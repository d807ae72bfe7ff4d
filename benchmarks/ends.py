"""Measures how late sessions end when very many are due at one instant, and the cost of waiting.

    python -m benchmarks.ends --sessions 10000 --keepers 2    all due at one instant
    python -m benchmarks.ends --running 1000000               the plans, their time, the idle CPU

Starts a PostgreSQL (which writes to the disk), a Valkey and the timekeepers of its own, and removes
them. "late" is the lateness in the log of each end; "heard" is when a subscriber of Redis had its
frame.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from redis.client import PubSub

from benchmarks import crowd
from benchmarks.bench.machine import Cores, cpu_s
from benchmarks.bench.space import ROOT, Stage, stage
from benchmarks.bench.statistics import quantile
from local.checkout import Checkout
from local.part import Part, wait_for

IDLE_S = 8.0  # how long the timekeepers are watched while nothing is due
PATIENCE_S = 120.0  # until the last end
SILENCE_S = 10.0  # after this nothing more is waited for


def measure(sessions: int = 10_000, keepers: int = 2, running: int = 0) -> dict[str, Any]:
    """Lateness in ms, audit, plans and idle CPU. `running`: that many others, due later."""
    with ExitStack() as stack:
        made = stack.enter_context(_stage())
        environment = made.environment
        db = stack.enter_context(psycopg.connect(environment["DATABASE_URL"], autocommit=True))
        if running:
            crowd.runs_for_hours(db, running)
        db.execute("VACUUM ANALYZE")
        found: dict[str, Any] = {"sessions": sessions, "keepers": keepers, "running": running}
        parts = [stack.enter_context(timekeeper(n, made)) for n in range(keepers)]
        found["idle"] = idle_cost(parts, db)
        if sessions:
            found |= a_burst(sessions, parts, db, environment)
        found["plans"] = plans(db, environment)
        return found


def a_burst(
    sessions: int, parts: list[Part], db: psycopg.Connection, environment: dict[str, str]
) -> dict[str, Any]:
    """All of them due at one instant."""
    with listening(environment) as ear:
        due_at = crowd.comes_due(db, sessions, in_s=5 + sessions / 500)
        db.execute("ANALYZE")
        if time.time() > due_at - 1:
            raise SystemExit("The crowd took too long to write: it is due already.")
        before = keepers_cpu_s(parts)
        wait_for(ear.has_heard(sessions), due_at - time.time() + PATIENCE_S)
        spent = keepers_cpu_s(parts) - before
    late = [ms for (ms,) in db.execute(_LATE)]
    heard = [(at - due_at) * 1000 for at in ear.heard.values()]
    return {
        "late_ms": quantiles(late),
        "heard_ms": quantiles(heard),
        "audit": {
            **audit(db),
            "not_heard": sessions - len(ear.heard),
            "heard_twice": ear.twice,
        },
        "cpu_ms_per_end": round(spent * 1000 / sessions, 3),
    }


_LATE = """
    SELECT (data->>'late_ms')::float FROM sessions_app_sessionevent
    WHERE kind = 'completed' ORDER BY 1
"""
_AUDIT = """
    WITH logged AS (
        SELECT s.id, count(e.id) AS times, min(e.at) AS at, s.ended_at, s.started_at, s.planned_ms
        FROM sessions_app_session s JOIN accounts_user u ON u.id = s.user_id
        LEFT JOIN sessions_app_sessionevent e ON e.session_id = s.id AND e.kind = 'completed'
        WHERE starts_with(u.username, 'due') AND s.title = 'Write the chapter' GROUP BY s.id
    )
    SELECT count(*) FILTER (WHERE times > 1), count(*) FILTER (WHERE at < ended_at),
        count(*) FILTER (WHERE ended_at <> started_at + planned_ms * interval '1 millisecond'),
        count(*) FILTER (WHERE times = 1 AND sp.id IS NULL)
    FROM logged LEFT JOIN sessions_app_space sp ON sp.session_id = logged.id
"""


def audit(db: psycopg.Connection) -> dict[str, int]:
    """How many of those that came due are not as they should be: all zero."""
    [found] = db.execute(_AUDIT)
    names = ("ended_twice", "early", "not_at_its_deadline", "not_in_the_sky")
    return {"un_ended": un_ended(db), **dict(zip(names, found, strict=True))}


def un_ended(db: psycopg.Connection) -> int:
    """How many of those that came due still run."""
    [(count,)] = db.execute(
        "SELECT count(*) FROM sessions_app_session WHERE status = 'running' AND ends_at <= now()"
    )
    return int(count)


class Ear:
    """A plain subscriber: when the end of each user's session came out of Redis (Unix time)."""

    def __init__(self, subscribed: PubSub) -> None:
        self.heard: dict[bytes, float] = {}
        self.twice = 0
        self._last = time.monotonic()
        self._subscribed = subscribed
        self.stopping = threading.Event()

    def listen(self) -> None:
        while not self.stopping.is_set():
            message = self._subscribed.get_message(timeout=0.1)
            if message and b'"cause":"completed"' in message["data"]:
                self.twice += message["channel"] in self.heard
                self.heard.setdefault(message["channel"], time.time())
                self._last = time.monotonic()

    def has_heard(self, count: int) -> Callable[[], bool]:
        """Whether all are here, or nothing more comes."""

        def enough() -> bool:
            silent = time.monotonic() - self._last > SILENCE_S
            return len(self.heard) >= count or (bool(self.heard) and silent)

        return enough


@contextmanager
def listening(environment: dict[str, str]) -> Iterator[Ear]:
    with redis.Redis.from_url(environment["REDIS_URL"]) as server, server.pubsub() as subscribed:
        subscribed.psubscribe(f"{environment['CHANNEL_PREFIX']}__group__user.*")
        subscribed.get_message(timeout=5)
        ear = Ear(subscribed)
        thread = threading.Thread(target=ear.listen)
        thread.start()
        try:
            yield ear
        finally:
            ear.stopping.set()
            thread.join()


def idle_cost(parts: list[Part], db: psycopg.Connection) -> dict[str, float]:
    """CPU milliseconds per second: of one timekeeper, and of PostgreSQL for all of them."""
    wait_for(lambda: False, 2.0)  # they have just started
    begun, before, server = time.monotonic(), keepers_cpu_s(parts), backends_cpu_s(db)
    wait_for(lambda: False, IDLE_S)
    passed = time.monotonic() - begun
    spent = keepers_cpu_s(parts) - before
    return {
        "timekeeper_ms_per_s": round(spent * 1000 / passed / max(1, len(parts)), 2),
        "postgres_ms_per_s": round((backends_cpu_s(db) - server) * 1000 / passed, 2),
    }


def keepers_cpu_s(parts: list[Part]) -> float:
    return sum(cpu_s(part.pid) for part in parts if part.pid is not None)


def backends_cpu_s(db: psycopg.Connection) -> float:
    """Of the connections of the timekeepers."""
    return sum(
        cpu_s(pid)
        for (pid,) in db.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND pid <> pg_backend_pid() ORDER BY pid"
        )
    )


def plans(db: psycopg.Connection, environment: dict[str, str]) -> list[dict[str, Any]]:
    """What PostgreSQL does for the questions of a timekeeper, and how long it takes."""
    os.environ.update(environment)
    import django

    django.setup()
    from sessions_app.timekeeper import sweep

    asked = {
        "seconds to the next": (sweep._SECONDS_TO_NEXT, None),
        "what is due": (sweep._DUE, [[], sweep.BATCH]),
        "what to remind of": (sweep._TO_REMIND, [[], sweep.BATCH]),
    }
    db.execute("VACUUM ANALYZE")
    return [_plan(db, name, query, given) for name, (query, given) in asked.items()]


def _plan(db: psycopg.Connection, name: str, query: str, given: list[Any] | None) -> dict[str, Any]:
    cursor = psycopg.ClientCursor(db)
    for _ in range(2):  # the first reads from the disk
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query}", given)  # type: ignore[arg-type]
    lines = [line for (line,) in cursor]
    took = next(line for line in lines if line.startswith("Execution Time"))
    return {"query": name, "ms": float(took.split()[2]), "plan": lines}


def quantiles(values: list[float]) -> dict[str, float]:
    names = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(quantile(values, q), 1) for name, q in names.items()}


@contextmanager
def _stage() -> Iterator[Stage]:
    """With servers of its own: `./space bench` has started others."""
    checkout = Checkout(ROOT)
    home = Path(tempfile.mkdtemp(prefix="ends-", dir=checkout.space))
    try:
        with stage(checkout, home, Cores.of_this_machine()) as made:
            made.environment["CHANNEL_PREFIX"] = "ends"
            yield made
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def timekeeper(number: int, made: Stage) -> Iterator[Part]:
    log = made.log(f"timekeeper-{number}")
    command = made.checkout.manage_command("run_timekeeper")
    part = Part("timekeeper", command, log, made.environment, _says_running)
    part.start()
    try:
        part.wait_until_ready(30)
        yield part
    finally:
        part.stop()
        said = log.read_text().replace("Timekeeper is running.", "").strip()
        if said:
            print(said, file=sys.stderr)


def _says_running(part: Part) -> bool:
    return "is running" in part.log.read_text()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, help="due at one instant (10000)")
    parser.add_argument("--keepers", type=int, default=2, help="timekeeper processes (2)")
    parser.add_argument("--running", type=int, default=0, help="sessions due later")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    given = parser.parse_args()
    sessions = given.sessions if given.sessions is not None else 0 if given.running else 10_000
    found = measure(sessions, given.keepers, given.running)
    if given.json:
        given.json.write_text(json.dumps(found, indent=2))
    for name, value in found.items():
        if name != "plans":
            print(f"{name:15} {value}")
    for plan in found["plans"]:
        print(f"\n{plan['query']}: {plan['ms']} ms")
        print("\n".join(f"    {line}" for line in plan["plan"]))


if __name__ == "__main__":
    main()
