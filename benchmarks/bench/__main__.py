"""`./space bench`: measures Space beside its peers, prints the table, writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.bench import client, machine, others, plan, report, ticks
from benchmarks.bench.alone import alone_on_this_machine
from benchmarks.bench.rows import DAPHNE, UVICORN, WHOLE, Bench, Case, Pace, peer, space
from benchmarks.bench.space import Stage, stage
from benchmarks.peers import PEERS, Peer
from local.checkout import Checkout
from local.console import say, step
from local.problem import Problem
from local.run import stopped_by_signals

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
TICKS = "ticks"
QUICK_S = 116.0
QUICK = Pace(patience=12.0, warm_up=1.5, measured=4)


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("./space bench", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", choices=[TICKS, *others.ALL], action="append")
    parser.add_argument("--peer", action="append", metavar="NAME")
    parser.add_argument("--sockets", type=int, metavar="N")
    parser.add_argument("--per-session", metavar="K")
    parser.add_argument("--minutes", type=float, metavar="N", default=24)
    parser.add_argument("--seconds", type=int, metavar="N")
    return parser.parse_args(arguments)


class Run:
    """One run: its options, and the figures so far."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.began = time.monotonic()
        self.open_files = machine.raise_file_limit()
        self.cores = machine.Cores.of_this_machine()
        self.checkout = Checkout(ROOT)
        self.home = self.checkout.space / "bench"
        self.pace = QUICK if given.quick else Pace()
        if given.seconds:
            self.pace = replace(self.pace, measured=given.seconds, beside=given.seconds)
        self.result: dict[str, Any] = {
            "rows": [],
            "left_out": [],
            "disturbed": {},
            "seconds": [self.pace.measured, self.pace.beside],
            "patience_s": self.pace.patience,
        }

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out on purpose, so that the document may be written."""
        g = self.given
        return not (g.quick or g.peer or g.sockets or g.per_session or g.only or g.seconds)

    def wants(self, what: str) -> bool:
        if self.given.only:
            return what in self.given.only
        return what == TICKS or self.is_whole

    def left_s(self) -> float:
        limit_s = QUICK_S if self.given.quick else self.given.minutes * 60
        return limit_s - (time.monotonic() - self.began)

    def leave_out(self, why: str) -> None:
        say(f"Left out: {why}")
        self.result["left_out"].append(why)

    def measure(self) -> None:
        say(f"Cores: {self.cores.words()}.")
        load_client = client.build(self.home)
        spaces = [name for name in (UVICORN, DAPHNE) if self.is_asked(name)]
        peers = list(self.peers()) if self.wants(TICKS) else []
        cases = self.cases([*spaces, *(one.name for one in peers)])
        self.result["machine"] = machine.description() | {
            "pinning": self.cores.words(),
            "open_files": self.open_files,
            "load_client": "C",
            "versions": report.versions(),
        }
        storm = others.STORM if self.wants("storm") else 0
        users = max(plan.users_for(cases), storm)
        say("Starting PostgreSQL and Valkey, and making users.")
        with stage(self.checkout, self.home, self.cores, users) as made:
            self.pin(made)
            bench = Bench(made, self.cores, load_client, self.pace)
            for what, take in others.FIRST.items():
                self.take(what, take, bench)
            if self.wants(TICKS):
                contenders = {name: space(bench, name) for name in spaces}
                contenders |= {one.name: peer(bench, one, self.home) for one in peers}
                rows, skipped = ticks.take(
                    bench, contenders, cases, self.left_s, again=self.is_whole
                )
                self.result["rows"] = rows
                for what in skipped:
                    self.leave_out(f"for time, {what}")
            for what, take in others.AFTER_TICKS.items():
                self.take(what, take, bench)

    def take(self, what: str, take: others.Take, bench: Bench) -> None:
        if not self.wants(what):
            return
        say(f"\n{what} ...")
        watch = machine.WatchAll(self.cores)
        try:
            self.result[what] = take(bench, self.result["rows"])
        except Exception as error:  # the other figures are kept
            self.leave_out(f"{what}: {str(error) or type(error).__name__}")
        else:
            say(report.lines(self.result[what]))
            foreign = watch.foreign() or 0.0
            if foreign > machine.DISTURBED_ALL:
                self.result["disturbed"][what] = round(foreign, 2)
                say(f"  disturbed: other programs took {foreign:.0%} of a core meanwhile")

    def pin(self, made: Stage) -> None:
        """Pins this program, PostgreSQL and Valkey: all but the servers that are measured."""
        if self.cores.pinned:
            for pid in (os.getpid(), *(part.pid for part in made.servers.parts if part.pid)):
                os.sched_setaffinity(pid, self.cores.load)

    def is_asked(self, name: str) -> bool:
        return not self.given.peer or any(part.lower() in name.lower() for part in self.given.peer)

    def peers(self) -> Iterator[Peer]:
        """The peers that were asked for and can run here, prepared."""
        known = [one.name for one in PEERS if self.is_asked(one.name)]
        if self.given.quick:
            known = [name for name, _ in plan.quick(known)]
        for one in PEERS:
            if one.name in known:
                try:
                    with step(f"Preparing {one.name}"):
                        one.prepare(self.home)
                except Problem as why:
                    self.leave_out(f"{one.name}: {why}")
                else:
                    yield one

    def cases(self, names: list[str]) -> ticks.Cases:
        g = self.given
        most = plan.largest(self.open_files)
        if g.sockets or g.per_session:
            per_session = g.per_session or "10"
            k = WHOLE if per_session == WHOLE else int(per_session)
            sizes = [g.sockets] if g.sockets else [plan.SMALL, plan.MIDDLE, most]
            return [(name, Case(k, size)) for size in sizes for name in names]
        return list(plan.quick(names)) if g.quick else list(plan.full(names, most))


def main(arguments: list[str]) -> int:
    given = options(arguments)
    if given.json:  # relative to where the user is
        given.json = Path(os.environ.get("SPACE_BENCH_FROM", ".")) / given.json
    try:
        with stopped_by_signals(), alone_on_this_machine():
            run = Run(given)
            run.measure()
    except Problem as problem:
        say(f"{problem}")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    run.result["took_s"] = round(time.monotonic() - run.began, 1)
    say(report.goals_as_text(run.result))
    if given.json:
        given.json.write_text(json.dumps(run.result, indent=1) + "\n")
    if run.is_whole:
        DOCUMENT.write_text(report.document(run.result))
        say("Written: docs/benchmarks.md")
    say(f"Took {run.result['took_s']:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
