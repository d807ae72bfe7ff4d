"""What a soak has found, for docs/reliability.md."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load_generator.rules import RULES
from tests.faults.measured import quantile

# What a fault may well break: each is about time, or about how a connection ends. All other rules
# are about the truth, and must hold.
LATE = {
    "ended_late",
    "not_ended",
    "silent",
    "tick_late",
    "tick_of_an_old_version",
    "ticks_left_out",
    "told_late",
    "ack_not_told",
    "unanswered",
    "close_not_allowed",
    "closed_without_closing",
}
IN_STEP_WITHIN_S = 6.0


@dataclass
class Result:
    """`in_step_s`: of each fault, from its healing until each device that was here was in step."""

    minutes: float
    users: int
    devices: int
    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    in_step_s: list[float] = field(default_factory=list)
    interrupted: int = 0  # faults after which the next one came before all were in step
    deaths: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)  # by status
    commands: int = 0
    ticks: int = 0
    late_ms: list[int] = field(default_factory=list)  # of all ends at a deadline
    calm_late_ms: list[int] = field(default_factory=list)  # of those with no fault about
    broken: Counter[str] = field(default_factory=Counter)
    audit: dict[str, int] = field(default_factory=dict)
    settled_s: float = 0.0
    last_back_s: float = 0.0
    last_in_step_s: float = 0.0
    latest_answer_ms: float = 0.0
    was_bottleneck: bool = False
    problems: list[str] = field(default_factory=list)  # what else went wrong

    @property
    def ended(self) -> int:
        return len(self.late_ms)

    @property
    def wrong(self) -> Counter[str]:
        """Rules of the truth that were broken."""
        return Counter({rule: n for rule, n in self.broken.items() if rule not in LATE})

    @property
    def late(self) -> Counter[str]:
        return Counter({rule: n for rule, n in self.broken.items() if rule in LATE})

    @property
    def errors(self) -> int:
        """Answers 5xx other than 503."""
        return sum(n for status, n in self.answers.items() if status[0] == "5" and status != "503")

    @property
    def is_good(self) -> bool:
        nothing_wrong = not (self.wrong or self.errors or self.problems)
        return nothing_wrong and bool(self.audit) and not any(self.audit.values())

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**vars(self), "ended": self.ended, "text": self.text}))

    @property
    def text(self) -> str:
        rows = {
            "minutes": f"{self.minutes:.0f} (seed {self.seed})",
            "people": f"{self.users} users with {self.devices} devices, "
            f"{self.commands:,} commands acknowledged, {self.ticks:,} ticks",
            "faults": f"{self.faults.total()}, of {len(self.faults)} kinds",
            "processes that died": _counted(self.deaths),
            "sessions that ended at their deadline": f"{self.ended:,}",
            "ends after their deadline": _times(self.late_ms),
            "the same, with no fault about": _times(self.calm_late_ms),
            "from the healing of a fault until all devices were in step": self._steps(),
            "after the last fault": f"nothing due after {self.settled_s:.1f} s; all devices back"
            f" after {self.last_back_s:.1f} s (some had closed their laptop), in step"
            f" {self.last_in_step_s:.1f} s later",
            "answers": f"{_counted(self.answers)}; the latest after "
            f"{self.latest_answer_ms / 1000:.1f} s",
            "5xx other than 503": f"{self.errors}",
            "rules of the truth broken": _counted(self.wrong),
            "rules about time broken, because of faults": _counted(self.late),
            "audit": ", ".join(f"{what}: {n}" for what, n in self.audit.items()),
        }
        lines = ["| what | measured |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())]
        lines += ["", "Faults: " + "; ".join(f"{w} ({n})" for w, n in sorted(self.faults.items()))]
        lines[-1] += "."
        if self.was_bottleneck:
            lines += ["", "The devices themselves, or what else ran on the machine, were the "]
            lines[-1] += "bottleneck: times are rather theirs than the server's."
        if self.problems:
            lines += ["", "**Also wrong:** " + "; ".join(self.problems)]
        return "\n".join(lines)

    def _steps(self) -> str:
        if not self.in_step_s:
            return "-"
        p50, p90 = (quantile(self.in_step_s, share) for share in (0.5, 0.9))
        over = sum(s > IN_STEP_WITHIN_S for s in self.in_step_s)
        return (
            f"p50 {p50:.2f} s, p90 {p90:.2f} s, max {max(self.in_step_s):.2f} s; over"
            f" {IN_STEP_WITHIN_S:g} s: {over}; not yet when the next fault came: {self.interrupted}"
        )


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{what}: {n:,}" for what, n in sorted(counts.items())) or "none"


def _times(late: list[int]) -> str:
    if not late:
        return "-"
    shown = (f"{name} {quantile(late, share):,} ms" for name, share in _SHARES.items())
    return ", ".join(shown) + f", latest {max(late):,} ms ({len(late):,} ends)"


_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
assert RULES.keys() >= LATE
