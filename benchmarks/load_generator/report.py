"""The printed text: a line every ten seconds, and a report at the end."""

from __future__ import annotations

from benchmarks.load_generator.lag import BOTTLENECK_CPU, BOTTLENECK_LAG_MS, Lag, memory_mb
from benchmarks.load_generator.rules import RULES, Findings
from benchmarks.load_generator.tally import Tally

ALLOWED_LEFT_OUT = 0.01
LONGEST_EXAMPLE = 600  # characters


def line(seconds: float, here: int, devices: int, tally: Tally, findings: Findings) -> str:
    """The state of the run."""
    count, minutes = tally.count, divmod(round(seconds), 60)
    kinds = ("changes received", "changes received again", "changes made up for")
    changes = sum(count[kind] for kind in kinds)
    ticks = tally.took["a tick after its second"]
    return (
        f"{minutes[0]:3}:{minutes[1]:02}  {here}/{devices} here"
        f"  {count['ticks']:,} ticks, p99 {ticks.quantile(0.99):.0f} ms"
        f"  {count['commands acknowledged']:,} commands  {changes:,} changes received"
        f"  {count['came back']:,} came back"
        f"  {findings.count.total():,} violations"
    )


def left_out(tally: Tally) -> float:
    """The share of seconds without a tick."""
    return tally.count["seconds left out"] / max(1, tally.count["seconds between ticks"])


def judge_left_out(tally: Tally, findings: Findings, lag: Lag) -> None:
    if left_out(tally) > ALLOWED_LEFT_OUT and not lag.is_bottleneck:
        findings.found("ticks_left_out", f"{left_out(tally):.1%} of {tally.count['ticks']:,} ticks")


def report(tally: Tally, findings: Findings, lag: Lag) -> str:
    """Counts, times, violations, and what this program can say of itself."""
    lines = ["", "Counted"]
    lines += [f"  {n:>10,}  {what}" for what, n in sorted(tally.count.items()) if n]
    lines += ["", "Measured"]
    lines += [f"  {what + ':':35} {times}" for what, times in sorted(tally.took.items())]
    lines += ["", "This program"]
    lines.append(f"  late itself: {lag.histogram}; {lag.cpu:.0%} of a core, {memory_mb():.0f} MB")
    if lag.is_bottleneck:
        lines.append(
            f"  That is too much (p99 over {BOTTLENECK_LAG_MS:.0f} ms, or over "
            f"{BOTTLENECK_CPU:.0%} of a core): it, or what else runs on this machine, was the\n"
            "  bottleneck, and times are rather its own than the server's."
        )
    lines += ["", *_violations(findings)]
    return "\n".join(lines)


def _violations(findings: Findings) -> list[str]:
    if not findings:
        return [f"No violation of the {len(RULES)} rules."]
    lines = [f"Violations of {len(findings.count)} of the {len(RULES)} rules"]
    for rule, n in findings.count.most_common():
        lines.append(f"  {n:,} x {rule}: {RULES[rule]}")
        lines.append(f"      e.g. {findings.example[rule][:LONGEST_EXAMPLE]}")
    return lines
