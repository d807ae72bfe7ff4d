"""The rules for what is stored, which is read over REST when all people have stopped."""

from __future__ import annotations

from typing import Any

from benchmarks.load_generator.device_check import DeviceCheck
from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.state import State, lasting
from benchmarks.load_generator.user_check import ENDS, UserCheck

Row = dict[str, Any]


def check_log(session: State, log: list[Row], user: UserCheck, findings: Findings) -> None:
    """`log`: the session's events, oldest first."""
    who = f"{user.name}: the log of session {session['id']}"
    versions = [row["version"] for row in log]
    revisions = [row["revision"] for row in log]
    if versions != list(range(1, session["timer"]["version"] + 1)):
        findings.found("log_not_whole", f"{who} has versions {versions}")
    if revisions != sorted(set(revisions)):
        findings.found("log_not_whole", f"{who} has revisions {revisions}")
    if user.highest_ack.get(session["id"], 0) > versions[-1]:
        findings.found("ack_not_stored", f"{who} ends with version {versions[-1]}")
    ends = [row for row in log if row["kind"] in ENDS]
    if len(ends) > 1:
        findings.found("ended_twice", f"{who} has ends {ends}")
    for row in ends:
        late_ms = row["data"].get("late_ms")
        if late_ms is not None and late_ms < 0:
            findings.found("ended_early", f"{who}: {row}")


def check_devices(
    fresh: list[State], revision: int, devices: list[DeviceCheck], findings: Findings
) -> None:
    """`fresh`: all sessions of the user as GET shows them, at this revision."""
    stored = {state["id"]: lasting(state) for state in fresh}
    for device in devices:
        shown = {session: known.state for session, known in device.sessions.items()}
        if device.revision != revision:
            findings.found(
                "devices_differ", f"{device.who} is at revision {device.revision}, not {revision}"
            )
        elif shown != stored:
            first = next(s for s in sorted(shown | stored) if shown.get(s) != stored.get(s))
            findings.found(
                "devices_differ",
                f"{device.who} shows {shown.get(first)}; stored is {stored.get(first)}",
            )
