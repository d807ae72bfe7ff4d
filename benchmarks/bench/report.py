"""The report of a run: lines on the terminal, and docs/benchmarks.md."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.bench import machine
from benchmarks.bench.goals import Goal, goals
from benchmarks.bench.rows import SATURATED_MISSED, SATURATED_P99_MS

Result = dict[str, Any]
HEADING = (
    f"{'':28} {'a session':>9} {'sockets':>8} {'CPU ms/1000':>11} {'core':>6} "
    f"{'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'KB':>6}"
)
# How the figures besides ticks are measured.
MEANING = {
    "storm": """\
A server without connections; then all sockets connect at once, authenticate and send the last
revision that they have seen, as devices do after a network has come back. *Seconds* until the last
one has its `ready`; in the three seconds after it none may miss a tick. PostgreSQL runs beside the
load.""",
    "latency": """\
Two server processes, both on the server's core, 500 sockets
ticking on each. Four users pause and resume in turn on one process; measured is from sending the
command to the frame on a device at the other process. The devices are Python, beside the load.""",
    "ends": """\
From `python -m benchmarks.ends`: two timekeepers, on a PostgreSQL of its own that writes to the
disk; all sessions are due at one instant. *Late* is the lateness in the log of each end; *heard* is
when a subscriber of Redis had its frame. *Audit* counts what must not be.""",
    "redis": "Counted by Valkey itself, in the seconds of the row with 10,000 sockets above.",
    "stalled": """\
A hundred sockets of one user, whose session has forty tasks: each change of it is a frame of 9 KB
to all of them. It is renamed again and again. Twenty sockets stop reading; *cut* is how many of
them the server has closed by the end. *Without*: the same, but all read.""",
    "rest": """\
One server process on one core; sixteen connections that are kept, each asking again as soon as it
is answered. Every request is of another user than the one before. CPU is that of the server.""",
}
LIBRARIES = ("django", "channels", "channels-redis", "uvicorn", "uvloop", "websockets", "daphne")


def versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def line(row: Result) -> str:
    """A row for the terminal."""
    head = f"{row['peer']:28} {row['devices_per_session']!s:>9} {row['sockets']:>8,}"
    if row.get("cpu_ms_per_1000") is None:
        return f"{head}  {row.get('why', '')}"
    return (
        f"{head} {row['cpu_ms_per_1000']:>11.1f} {row['cpu_percent']:>5.0f}% {row['p50_ms']:>8.1f} "
        f"{row['p99_ms']:>8.1f} {row['max_ms']:>8.1f} {row['kb_per_socket']:>6.1f}  {marks(row)}"
    ).rstrip()


def marks(row: Result) -> str:
    found = []
    if row.get("saturated"):
        found.append("saturated")
    if row.get("missed"):
        found.append(f"{row['missed']:,} ticks missing")
    if row.get("disturbed"):
        foreign = row["foreign"]
        found.append(
            f"disturbed ({foreign['server']:.0%} of its core, {foreign['load']:.0%} of the load's)"
        )
    if row.get("errors"):
        found.append(f"{row['errors']} did not connect")
    return ", ".join(found)


def one_line(figures: Result) -> str:
    """Some figures for the terminal."""
    return ", ".join(
        f"{name}: ({one_line(value)})" if isinstance(value, dict) else f"{name} {value}"
        for name, value in figures.items()
    )


def lines(figures: Result) -> str:
    """Figures for the terminal: a line each, or a line for each set of them."""
    return "\n".join(
        f"  {name}: {one_line(value) if isinstance(value, dict) else value}"
        for name, value in figures.items()
    )


def goals_as_text(result: Result) -> str:
    found = [goal for goal in goals(result) if goal.measured]
    if not found:
        return ""
    width = max(len(goal.what) for goal in found)
    lines = [f"  {g.what:{width}}  goal {g.goal}: {g.measured}  {held(g)}" for g in found]
    return "\nGoals\n" + "\n".join(lines)


def held(goal: Goal) -> str:
    return {True: "yes", False: "no", None: ""}[goal.held]


def document(result: Result) -> str:
    """docs/benchmarks.md."""
    parts = [_opening(result), _goals(result), _tables(result), _others(result), _left_out(result)]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _opening(result: Result) -> str:
    m = result["machine"]
    libraries = ", ".join(f"{name} {number}" for name, number in m["versions"].items())
    return f"""\
# Benchmarks

<!-- Written by `./space bench`. Do not edit. -->

`./space bench` has written this page; it took {result["took_s"] / 60:.0f} minutes. Each row is a
server process of its own, started for it; Space and its peers take turns in one run. The load
client ({m["load_client"]}) opens the sockets, waits until all are in and a moment more, and then
measures for {result["seconds"][0]} seconds ({result["seconds"][1]} where it is not ten devices a
session).

| | |
|---|---|
| machine | {m.get("processor", "?")}, {m["cores"]} cores, {m["system"]} |
| cores | {m["pinning"]} |
| open files of a process | {m["open_files"]:,} |
| Python | {m["python"]}; {libraries} |

- **CPU** is the server process's own, user and system, in milliseconds per 1,000 ticks that
  arrived, including its other work. *Core* is the same as a share of one core. That of
  Valkey stands apart.
- **Lateness** is when a tick has arrived at the load client less the instant that it names, on one
  machine with one clock. *Missing* are seconds for which a socket got no tick.
- **KB** is the growth of the server's resident memory per socket. What the kernel keeps for a
  socket is not in it.
- Sessions have their seconds spread over the second. Sockets of Space authenticate, belong to users
  and sessions in PostgreSQL, and receive changes. Peers do nothing of that: they only send the same
  text.
- **Saturated**: p99 over {SATURATED_P99_MS:,} ms, or more than {SATURATED_MISSED:.1%} of the ticks
  missing, or of the sockets not let in within {result["patience_s"]:.0f} seconds and one more for
  each thousand. A peer that is saturated is not tried with more sockets.
- **Disturbed**: other programs took more than {machine.DISTURBED_SERVER:.0%} of the server's core,
  or {machine.DISTURBED_LOAD:.0%} of a core of those of the load. Such a row was run again if there
  was time; the less disturbed attempt is shown."""


def _goals(result: Result) -> str:
    lines = ["## Goals", "", "| | goal | measured | held |", "|---|---|---|---|"]
    for goal in goals(result):
        lines.append(
            f"| {goal.what} | {goal.goal} | {goal.measured or 'not measured'} | {held(goal)} |"
        )
    return "\n".join(lines)


def _tables(result: Result) -> str:
    rows = result["rows"]
    cases = sorted(
        {(row["devices_per_session"], row["sockets"]) for row in rows},
        key=lambda case: (case[0] == "all", case[0] if case[0] != "all" else 0, case[1]),
    )
    parts = ["## Ticks"]
    for per_session, sockets in cases:
        devices = {1: "One device", "all": "All devices"}.get(per_session, f"{per_session} devices")
        on = "on one session" if per_session == "all" else "a session"
        parts.append(
            f"### {devices} {on}, {sockets:,} sockets\n\n{_table(rows, per_session, sockets)}"
        )
    return "\n\n".join(parts)


def _table(rows: list[Result], per_session: Any, sockets: int) -> str:
    lines = [
        "| | CPU ms per 1,000 | core | Valkey ms | p50 ms | p99 ms | max ms | KB | |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        if (row["devices_per_session"], row["sockets"]) != (per_session, sockets):
            continue
        if row.get("cpu_ms_per_1000") is None:
            lines.append(f"| {row['peer']} | | | | | | | | {row.get('why', 'saturated')} |")
            continue
        none_came = row["p99_ms"] < 0
        valkey = row.get("redis_cpu_ms_per_1000") or 0
        cells = [
            row["peer"],
            f"{row['cpu_ms_per_1000']:.1f}",
            f"{row['cpu_percent']:.0f} %",
            f"{valkey:.1f}" if valkey >= 0.05 else "",
            *("" if none_came else f"{row[n]:.1f}" for n in ("p50_ms", "p99_ms", "max_ms")),
            f"{row['kb_per_socket']:.0f}",
            marks(row),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _others(result: Result) -> str:
    titles = {
        "storm": "5,000 devices come back at once",
        "latency": "A command, heard on another process",
        "ends": "How late ends are",
        "redis": "Redis while nobody acts",
        "stalled": "20 of 100 stop reading",
        "rest": "REST",
    }
    parts = []
    for name, title in titles.items():
        if name in result:
            parts.append(f"## {title}\n\n{MEANING[name]}\n\n{_figures(result[name])}")
            if name in result["disturbed"]:
                share = result["disturbed"][name]
                parts.append(f"Disturbed: other programs took {share:.0%} of a core meanwhile.")
    return "\n\n".join(parts)


def _figures(figures: Result) -> str:
    """A table of figures by name; of several sets of the same figures, side by side."""
    if figures and all(isinstance(value, dict) for value in figures.values()):
        columns = list(figures)
        names = list(dict.fromkeys(name for value in figures.values() for name in value))
        lines = [
            "| | " + " | ".join(c.replace("_", " ") for c in columns) + " |",
            "|---|" + "--:|" * len(columns),
        ]
        for name in names:
            cells = " | ".join(_shown(figures[column].get(name, "")) for column in columns)
            lines.append(f"| {_words(name)} | {cells} |")
        return "\n".join(lines)
    lines = ["| | |", "|---|--:|"]
    for name, value in figures.items():
        lines.append(f"| {_words(name)} | {_shown(value)} |")
    return "\n".join(lines)


def _words(name: str) -> str:
    """`p99_ms_afterwards` as words."""
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, dict):
        return one_line(value)
    return str(value)


def _left_out(result: Result) -> str:
    if not result["left_out"]:
        return ""
    return "## Left out\n\n" + "\n".join(f"- {why}" for why in result["left_out"])
