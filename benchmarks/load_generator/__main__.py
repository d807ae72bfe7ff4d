"""The command line. Exit codes: 0 all held, 1 something did not, 2 there was no run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.run import Plan, run
from local.problem import Problem

USERS_FILE = Path(__file__).resolve().parents[2] / ".space" / "load" / "users.json"


def main() -> int:
    plan = _plan()
    try:
        findings = _runner(run(plan))
    except Problem as reason:
        print(reason, file=sys.stderr)
        return 2
    return 1 if findings else 0


def _plan() -> Plan:
    parser = argparse.ArgumentParser("./space load", description=__doc__)
    parser.description = "Many devices that behave like people's, and check what they receive."
    parser.add_argument(
        "--url",
        action="append",
        required=True,
        help="the Space (./space run of this checkout); several: its processes",
    )
    parser.add_argument("--devices", type=_whole, default=50, metavar="N", help="sockets (50)")
    parser.add_argument("--sessions", type=_whole, default=0, metavar="M", help="N / 5")
    parser.add_argument("--minutes", type=float, default=2, metavar="T", help="how long (2)")
    parser.add_argument(
        "--users-file",
        type=Path,
        default=USERS_FILE,
        metavar="FILE",
        help="accounts, kept for the next run (.space/load/users.json)",
    )
    given = parser.parse_args()
    sessions = given.sessions or max(1, given.devices // 5)
    return Plan(
        [url.rstrip("/") for url in given.url],
        given.devices,
        sessions,
        given.minutes,
        given.users_file.absolute(),
    )


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _runner(work: Coroutine[Any, Any, Findings]) -> Findings:
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(work)
    done: Findings = uvloop.run(work)
    return done


if __name__ == "__main__":
    sys.exit(main())
