"""The rules of ticks, for one connection of a device."""

from __future__ import annotations

from typing import Any

from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.server_clock import ServerClock
from benchmarks.load_generator.state import Known, instant_ms
from benchmarks.load_generator.tally import Tally

SECOND = 1_000  # ms
LEFT_BEHIND_FOR_MS = 6_000  # as long a lost message may take to be healed
EARLY_MS = 5  # what the measured offset may be wrong beside half of a round trip


class TickCheck:
    """What this connection asked for, and the last tick of each session on it."""

    def __init__(self, who: str, clock: ServerClock, findings: Findings, tally: Tally) -> None:
        self._who, self._clock = who, clock
        self._findings, self._tally = findings, tally
        self.every_ms: int | None = SECOND  # None: asked for something else, not known if it is so
        self._asked: tuple[str, int] | None = None
        self._last: dict[int, tuple[int, int]] = {}  # session: version, remaining_ms

    def asked(self, every_ms: int, ping: str) -> None:
        """`ticks` was sent, and this ping after it: its pong says that it holds."""
        self.every_ms, self._asked = None, (ping, every_ms)
        self._last.clear()

    def ponged(self, ping: str) -> None:
        if self._asked is not None and self._asked[0] == ping:
            self.every_ms, self._asked = self._asked[1], None

    def forget(self, session: int) -> None:
        self._last.pop(session, None)

    def heard(self, tick: dict[str, Any], known: Known, at: float, *, lagging: bool) -> None:
        """A tick of a session whose version is not above the one that the device knows."""
        if tick["version"] < known.version:
            self._tally.count["ticks of a version left behind"] += 1
            if at - known.learned_at > LEFT_BEHIND_FOR_MS:
                self._found("tick_of_an_old_version", tick)
            return
        if known.ends_at_ms is None:
            self._found("tick_of_a_stopped_session", tick)
            return
        second = instant_ms(tick["server_time"])
        if tick["remaining_ms"] % SECOND or second != known.ends_at_ms - tick["remaining_ms"]:
            self._found("tick_off_its_second", tick)
            return
        self._as_asked(tick)
        self._in_time(tick, second, at, lagging)

    def _as_asked(self, tick: dict[str, Any]) -> None:
        if self.every_ms is None:
            return
        if not self.every_ms or tick["remaining_ms"] % self.every_ms:
            self._found("tick_not_asked_for", tick)
            return
        version, before = self._last.get(tick["session"], (None, 0))
        self._last[tick["session"]] = tick["version"], tick["remaining_ms"]
        if version != tick["version"]:
            return
        steps = (before - tick["remaining_ms"]) // self.every_ms
        if steps < 1:
            self._found("tick_repeated", tick)
            return
        self._tally.count["seconds between ticks"] += steps
        self._tally.count["seconds left out"] += steps - 1

    def _in_time(self, tick: dict[str, Any], second: float, at: float, lagging: bool) -> None:
        if not self._clock.is_known:
            return
        late = self._clock.now(at) - second
        if lagging:
            self._tally.count["ticks not judged: this program was late itself"] += 1
            return
        self._tally.took["a tick after its second"].add(late)
        if late > SECOND:
            self._found("tick_late", tick, f" came {late:.0f} ms after its second")
        if late < -self._clock.unsure_ms - EARLY_MS:
            self._found("tick_early", tick, f" came {-late:.1f} ms before its second")

    def _found(self, rule: str, tick: dict[str, Any], more: str = "") -> None:
        self._findings.found(rule, f"{self._who}: {tick}{more}")
