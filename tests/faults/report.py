"""docs/reliability.md, from what the tests of faults and the last soak have measured."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.measured import Figure, Measured

PROMISES = {
    "1": "A session ends exactly once, never before its deadline. Its end is committed within 100 ms"
    " (p99) of it while one timekeeper lives, within 1 s when one of two is killed, within 5 s of"
    " the restart when all are. `ended_at` is the deadline, however late.",
    "2": "Every connected device shows the committed state within 6 s after any fault heals, even if"
    " every message through Redis was lost; normally within 250 ms.",
    "3": "What was acknowledged is stored. What was not can be sent again with the same key and"
    " happens once.",
    "4": "Ticks go on while PostgreSQL or Redis is down; nothing is shown as ended that is not"
    " committed.",
    "5": "Time is conserved. A step of the clock of any machine but the database's by two days"
    " changes nothing that a client sees; a step of the database's clock is noticed and reported,"
    " and ends nothing twice.",
    "6": "A deploy closes each socket with 4503 (or the server's own 1012), spread out, and every"
    " client is back and in step within 10 s, with no 5xx.",
    "7": "One bad connection, session or handler delays nobody else by more than 100 ms.",
}
# What is known to be missed, by the fault.
WHY = {
    "SIGSTOP of a timekeeper inside its transaction, then SIGCONT": "the rows that it holds are"
    " freed when PostgreSQL ends its connection, 2 s after it stopped"
    " (`idle_in_transaction_session_timeout`). Less would undo the work of a timekeeper that is"
    " merely starved of CPU. Of other sessions none is late.",
}
HEAD = """\
<!-- Made by `./space faults` and `./space soak`. Do not edit. -->

# Reliability

What Space promises, and what was measured while its parts were broken: real servers, timekeepers, PostgreSQL and
Valkey, killed, stopped, frozen, cut off and lied to about the time. Devices that check every frame by the
rules of [load.md](load.md) were connected meanwhile.

{promises}

## Each fault

{machine} A figure in **bold** missed what is promised. `./space faults` makes this table; the quick rows are part of `./space test --all`.
After each fault SQL counted, past all code of Space: {audits}. {zeros}

{table}
{failed}
## Soak

{soak}
"""


def page(results: Sequence[Measured], soak: dict[str, Any] | None) -> str:
    ordered = sorted(results, key=lambda made: (made.promise, made.test))
    counted = sorted({what for made in results for what in made.audit})
    wrong = sum(sum(made.audit.values()) for made in results)
    ended = sum(made.ended for made in results) + (soak or {}).get("ended", 0)
    failed = [made for made in ordered if made.outcome != "passed"]
    return HEAD.format(
        promises="\n".join(f"{number}. {text}" for number, text in PROMISES.items()),
        machine=f"On {os.cpu_count()} cores ({platform.system()}, Python"
        f" {platform.python_version()}), which the devices of the tests share with all processes.",
        audits=", ".join(counted),
        zeros=f"All of them were zero, {sum(made.audits for made in results)} times."
        if not wrong
        else f"**{wrong} rows were wrong.**",
        table=table(ordered),
        failed="".join(f"\n**`{made.test}` failed.**\n" for made in failed) + not_held(ordered),
        soak=of_soak(soak) + f"\n\nSessions that ended at their deadline, in all runs: {ended:,}."
        " None early, none twice."
        if not wrong
        else of_soak(soak),
    )


def not_held(results: Sequence[Measured]) -> str:
    """Which promises were missed, and why, where that is known."""
    missed = [made for made in results if made.outcome == "passed" and not made.is_held]
    if not missed:
        return ""
    reasons = (f"- {made.fault}: {WHY.get(made.fault, 'not explained yet.')}" for made in missed)
    return "\n".join(["", "### Not held", "", *reasons, ""])


def table(results: Sequence[Measured]) -> str:
    rows = ["| fault | promise | measured (promised) | held |", "|---|---|---|---|"]
    times = Counter(made.fault for made in results)
    for made in results:
        figures = " · ".join(map(shown, made.figures)) or "the checks of its devices"
        held = "yes" if made.is_held else "**no**"
        case = f" [{made.test.partition('[')[2]}" if times[made.fault] > 1 else ""
        rows.append(f"| {made.fault}{case} | {made.promise} | {figures} | {held} |")
    return "\n".join(rows)


def shown(figure: Figure) -> str:
    """`latest end: 141 ms (1,000)`."""
    digits = 0 if figure.unit == "ms" or figure.value == int(figure.value) else 2
    text = f"{figure.value:,.{digits}f} {figure.unit}".strip()
    text = text if figure.is_held else f"**{text}**"
    promised = "" if figure.promised is None else f" ({figure.promised:g})"
    return f"{figure.what}: {text}{promised}"


def of_soak(soak: dict[str, Any] | None) -> str:
    if soak is None:
        return "None was made yet."
    return str(soak["text"])


def read(folder: Path) -> list[Measured]:
    return [Measured.read(file) for file in sorted(folder.glob("*.json"))]


def read_soak(file: Path) -> dict[str, Any] | None:
    return dict(json.loads(file.read_text())) if file.exists() else None
