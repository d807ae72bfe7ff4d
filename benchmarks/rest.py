"""Measures REST on one core for each kind of server, and how late ticks are meanwhile.

    python -m benchmarks.rest                    two minutes; starts servers of its own (Linux)
    python -m benchmarks.rest --json FILE        writes the rows as well

The first rows are those of `./space bench --only rest`: users list their sessions, and pause and
resume one. The others count ticks on a thousand sockets without requests, with thirty a second, and
with as many as are answered. A server that is split into two processes has one core for both.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.bench import client, others, rest
from benchmarks.bench.space import Stage, lone_stage

SOCKETS, PER_SESSION = 1_000, 10
PACED = 30  # requests a second: about what 10,000 people make, with five in a session of 25 minutes
# The options of each process: the first serves REST, the last serves the sockets.
KINDS: dict[str, list[tuple[str, ...]]] = {
    "uvicorn": [("uvicorn", "space")],
    "daphne": [("daphne", "space")],
    "uvicorn, apart": [
        ("uvicorn", "space", "--only", "rest"),
        ("uvicorn", "space-2", "--only", "sockets"),
    ],
}
Figures = dict[str, Any]


def measure(made: Stage, kind: str, program: Path, seconds: int) -> Iterator[Figures]:
    """The rows of this kind of server."""
    with ExitStack() as stack:
        served = [stack.enter_context(made.serve(*options)) for options in KINDS[kind]]
        part, port = served[0]
        for what, figures in others.requests(made, part, port).items():
            yield {"kind": kind, "what": what} | figures
        tokens, _ = others.users_of_requests(made)
        for what, ask in (
            ("no requests", None),
            (f"{PACED} requests a second", lambda: rest.reads(port, tokens, seconds, PACED)),
            ("all", lambda: rest.reads(port, tokens, seconds)),
        ):
            yield {"kind": kind, "what": what} | lateness(
                made, served[-1][1], program, seconds, ask
            )


def lateness(
    made: Stage, port: int, program: Path, seconds: int, ask: Callable[[], rest.Asked] | None
) -> Figures:
    """Of ticks, while `ask` makes requests."""
    with client.load(
        program,
        port=port,
        protocol="space",
        sockets=SOCKETS,
        per_session=PER_SESSION,
        seconds=seconds,
        tokens=made.tokens_file,
    ) as load:
        connected = load.connected()
        load.begin()
        answered = len(ask().waits_ms) if ask else 0
        load.measured(seconds)
        report = load.report()
    return {
        "sockets": connected["sockets"],
        **{name: report[name] for name in ("ticks", "missed", "p50_ms", "p99_ms", "max_ms")},
        "rest_per_s": round(answered / seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--seconds", type=int, default=5, help="of ticks, for each row")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    given = parser.parse_args()
    rows = []
    with lone_stage(SOCKETS // PER_SESSION) as made:
        program = client.build(made.home)
        for kind in given.kinds:
            for row in measure(made, kind, program, given.seconds):
                rows.append(row)
                print(json.dumps(row), flush=True)
    if given.json:
        given.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
