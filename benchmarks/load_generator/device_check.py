"""The rules for what one device receives. Instants (`at`) are milliseconds of this machine's clock.

A device keeps what it knows while it is away; `connected` begins another connection.
"""

from __future__ import annotations

from typing import Any

from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.server_clock import ServerClock
from benchmarks.load_generator.state import Known, State, instant_ms
from benchmarks.load_generator.tally import Tally
from benchmarks.load_generator.tick_check import TickCheck
from benchmarks.load_generator.user_check import UserCheck

Frame = dict[str, Any]

ANSWER_WITHIN_MS = 10_000
ENDED_WITHIN_MS = 10_000
LATEST_END_MS = 3_000
TOLD_WITHIN_MS = 10_000  # 6 s after the end of a fault; faults of some seconds are no finding
# Of a command on a session that another device may have changed or deleted since. `unavailable` is
# the server's right, and is counted.
ERRORS = {
    "illegal_transition",
    "already_due",
    "another_session_is_active",
    "stale_version",
    "not_found",
    "idempotency_in_progress",
    "unavailable",
}
# 1000: ours. 1001, 1006, 1012: processes and networks that go. 1011: its pings were not answered.
CLOSES = {1000, 1001, 1005, 1006, 1011, 1012, 4503, 4508}
WITHOUT_WORD = {4508}  # best effort: the close may be all that can be written


class DeviceCheck:
    """`sessions`, `revision`, `epoch`: what the device would show."""

    def __init__(self, who: str, user: UserCheck, findings: Findings, tally: Tally) -> None:
        self.who, self.user, self.tally = who, user, tally
        self._findings = findings
        self.epoch: str | None = None
        self.revision: int | None = None
        self.sessions: dict[int, Known] = {}
        self.clock = ServerClock()
        self.ticks = TickCheck(who, self.clock, findings, tally)
        self.heartbeat_s = 15
        self.is_ready = False
        self.is_loading = False  # the lists, after a reset
        self._deleted_meanwhile: set[int] = set()
        self._highest = 0  # the highest revision that was mentioned
        self._syncing = False
        self._synced_for: tuple[int, int] | None = None  # the tick that led to a sync last
        self._closing: Frame | None = None
        self._asked: dict[str, tuple[str, float]] = {}  # id: what, when
        self._last_heard = 0.0
        self._overdue: set[int] = set()  # sessions that were found not to end

    # -- the connection --------------------------------------------------------------------------

    def connected(self, at: float) -> None:
        self.is_ready = self._syncing = False
        self._closing = None
        self._asked.clear()
        self.clock.forget()
        self.ticks = TickCheck(self.who, self.clock, self._findings, self.tally)
        self._last_heard = at
        self.asks("ready", "authenticate", at)

    def asks(self, frame_id: str, what: str, at: float) -> None:
        """A frame was sent that must be answered. (`ready` answers without an id.)"""
        self._asked[frame_id] = what, at

    def closed(self, code: int, *, expected: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        """The connection has ended; 1006: without a close. `expected`: what we have called for."""
        self.is_ready = self.is_loading = False
        self._asked.clear()
        said = self._closing["code"] if self._closing else None
        if code not in CLOSES | expected or said not in {None} | CLOSES | expected:
            self._found("close_not_allowed", f"{code} after {self._closing}")
        elif code >= 4000 and code not in WITHOUT_WORD and said != code:
            self._found("closed_without_closing", f"{code} after {self._closing}")
        self.tally.count[f"closed with {code}"] += 1

    def check_overdue(self, at: float, *, lagging: bool) -> None:
        """Checks what has not happened; called every few seconds, while connected."""
        if lagging:
            return
        for frame_id, (what, since) in list(self._asked.items()):
            if at - since > ANSWER_WITHIN_MS:
                del self._asked[frame_id]
                self._found("unanswered", f"{what} ({frame_id}) for {(at - since) / 1000:.0f} s")
        if at - self._last_heard > 2 * self.heartbeat_s * 1000:
            self._found("silent", f"nothing for {(at - self._last_heard) / 1000:.0f} s")
            self._last_heard = at
        if not (self.is_ready and self.clock.is_known):
            return
        for session, known in self.sessions.items():
            ends_at = known.ends_at_ms
            waited = at - known.learned_at > ENDED_WITHIN_MS
            if ends_at is None or session in self._overdue or not waited:
                continue
            if self.clock.now(at) > ends_at + ENDED_WITHIN_MS:
                self._overdue.add(session)
                self._found("not_ended", f"session {session}, due at {ends_at:.0f}")

    # -- frames ----------------------------------------------------------------------------------

    def heard(self, frame: Any, at: float, *, lagging: bool = False) -> set[str]:
        """What the device must do now: `sync` (a gap was seen), `load` (the lists)."""
        self._last_heard = at
        try:
            kind = frame["type"]
            if not self.is_ready and kind not in {"ready", "error", "closing"}:
                self._found("frame_before_ready", f"{frame}")
                return set()
            return self._handle(kind, frame, at, lagging)
        except (KeyError, TypeError, ValueError) as wrong:
            self._found("not_a_frame", f"{type(wrong).__name__} {wrong} in {frame}")
            return set()

    def _handle(self, kind: str, frame: Frame, at: float, lagging: bool) -> set[str]:
        match kind:
            case "session.tick":
                return self._tick(frame, at, lagging)
            case "ready":
                return self._ready(frame, at)
            case "ack":
                self._ack(frame, at)
            case "error":
                self._error(frame, at)
            case "pong":
                self._pong(frame, at)
            case "closing":
                self._closing = frame
            case "session.reminder" | "heartbeat":
                self.tally.count[kind] += 1
            case _ if "revision" in frame:
                return self._change(frame, at, lagging)
            case _:
                self.tally.count["frames of unknown types"] += 1
        return set()

    def _tick(self, tick: Frame, at: float, lagging: bool) -> set[str]:
        self.tally.count["ticks"] += 1
        known = self.sessions.get(tick["session"])
        if known is None or tick["version"] > known.version:
            if self.is_loading or tick["session"] in self._deleted_meanwhile:
                return set()
            return self._ahead_of_us(tick)
        self.ticks.heard(tick, known, at, lagging=lagging)
        return set()

    def _ahead_of_us(self, tick: Frame) -> set[str]:
        """A version above ours: something was missed, and one `sync` must bring it."""
        this = (tick["session"], tick["version"])
        if not self._syncing:
            if this == self._synced_for:
                self._found("gap_not_healed", f"`sync` did not bring what this tick is of: {tick}")
                return set()
            self._synced_for = this
        return self._missed_something()

    def _missed_something(self) -> set[str]:
        """A gap: the device asks once, and not again until it is answered."""
        if self._syncing:
            return set()
        self.tally.count["gaps seen"] += 1
        self._syncing = True
        return {"sync"}

    # -- where things stand ----------------------------------------------------------------------

    def _ready(self, frame: Frame, at: float) -> set[str]:
        self._answered("ready", at)
        self._syncing = False
        self.is_ready = True
        self.heartbeat_s = frame["heartbeat_s"]
        if frame["reset"]:
            self.tally.count["resets"] += 1
            self.epoch, self.revision = frame["epoch"], frame["revision"]
            self._highest = frame["revision"]
            self.is_loading = True
            self.sessions.clear()
            self._deleted_meanwhile.clear()
            return {"load"}
        self._take_missed(frame, at)
        if frame["active"] is not None:
            self._take(frame["active"], at)
        return set()

    def _take_missed(self, frame: Frame, at: float) -> None:
        assert self.revision is not None
        if frame["revision"] < self.revision:
            self._found(
                "revision_backwards", f"{self.revision} is known, {frame['revision']} received"
            )
            return
        for change in frame["changes"]:
            self.user.received(change, self.who)
            if change["revision"] <= self.revision:
                continue
            if change["revision"] != self.revision + 1:
                self._found(
                    "gap_not_healed",
                    f"after {self.revision} comes {change['revision']} in `ready`",
                )
            self.revision = change["revision"]
            self.tally.count["changes made up for"] += 1
            if change["kind"] == "deleted":
                self._delete(change["session"])
            elif change["state"] is not None:
                self._take(change["state"], at)
        if frame["revision"] > self.revision or self._highest > frame["revision"]:
            self._found(
                "gap_not_healed",
                f"`ready` is at {frame['revision']}, its changes end at {self.revision}, "
                f"and {self._highest} was received before",
            )
        self.revision = max(self.revision, frame["revision"])
        self._highest = max(self._highest, self.revision)

    def loaded(self, states: list[State], at: float) -> None:
        """GET /sessions/ after a reset. What was received meanwhile is newer, or the same."""
        self.user.stored(states)
        for state in states:
            if state["id"] not in self._deleted_meanwhile:
                self._take(state, at)
        self.is_loading = False

    def learnt(self, state: State, at: float) -> None:
        """The answer to a request of this device."""
        self._take(state, at)

    # -- changes ---------------------------------------------------------------------------------

    def _change(self, frame: Frame, at: float, lagging: bool) -> set[str]:
        assert self.revision is not None
        self.user.received(frame, self.who)
        session, version, revision = frame["session"], frame["version"], frame["revision"]
        if revision <= self.revision:
            self.tally.count["changes received again"] += 1
            return set()
        self.tally.count["changes received"] += 1
        self._highest = max(self._highest, revision)
        in_order = revision == self.revision + 1
        if in_order:
            self.revision = revision
            self._next_version(frame)
        if frame["type"] == "session.ended":
            self._ended(frame, at, lagging)
        state = frame["state"]
        if frame["type"] == "session.deleted":
            self._delete(session)
        elif state is not None:
            newer = state["timer"]["version"] > version
            of_it = state["id"] == session and state["timer"]["version"] >= version
            # A missed end is sent even if a change came after it; its state is the newer one then.
            if not of_it or (newer and frame["type"] != "session.ended"):
                self._found("frame_disagrees_with_its_state", f"{frame}")
            self._take(state, at)
            self._told_in_time(frame, at, lagging)
        return set() if in_order else self._missed_something()

    def _told_in_time(self, frame: Frame, at: float, lagging: bool) -> None:
        """By the moment at which its state was read; that of a change is the change's own."""
        if not self.clock.is_known or lagging:
            return
        late = self.clock.now(at) - instant_ms(frame["state"]["timer"]["server_time"])
        self.tally.took["a change received after it was made"].add(late)
        if late > TOLD_WITHIN_MS:
            self._found("told_late", f"{late:.0f} ms: {frame}")

    def _next_version(self, frame: Frame) -> None:
        """A session's state may be known from an `ack` or a list already, but none is left out."""
        known = self.sessions.get(frame["session"])
        before = known.version if known else 0
        if not self.is_loading and frame["version"] > before + 1:
            self._found("version_gap", f"{before} is known, then comes {frame}")

    def _take(self, state: State, at: float) -> None:
        mine = self.user.one_state(state, self.who)
        known = self.sessions.get(state["id"])
        if known is None or state["timer"]["version"] > known.version:
            self.sessions[state["id"]] = Known(mine, at)
            self._overdue.discard(state["id"])

    def _delete(self, session: int) -> None:
        self.sessions.pop(session, None)
        self.ticks.forget(session)
        if len(self._deleted_meanwhile) > 64:
            self._deleted_meanwhile.clear()
        self._deleted_meanwhile.add(session)

    def _ended(self, frame: Frame, at: float, lagging: bool) -> None:
        self.tally.count[f"ends received: {frame['cause']}"] += 1
        if frame["cause"] != "completed":
            return
        ended_at, late_ms = instant_ms(frame["ended_at"]), frame["late_ms"]
        before = self.user.state_of(frame["session"], frame["version"] - 1)
        deadline = before["timer"]["ends_at"] if before else None
        if deadline is not None and instant_ms(deadline) != ended_at:
            self._found("ended_not_at_its_deadline", f"it was {deadline}: {frame}")
        state = frame["state"]
        if late_ms < 0 or (state and instant_ms(state["timer"]["server_time"]) < ended_at):
            self._found("ended_early", f"{frame}")
        self.tally.took["an end recorded after its deadline"].add(late_ms)
        if late_ms > LATEST_END_MS:
            self._found("ended_late", f"{late_ms} ms: {frame}")
        if self.clock.is_known:
            late = self.clock.now(at) - ended_at
            if late < -self.clock.unsure_ms - 5:
                self._found("ended_early", f"it came {-late:.1f} ms early: {frame}")
            if not lagging:
                self.tally.took["an end received after its deadline"].add(late)

    # -- answers ---------------------------------------------------------------------------------

    def _ack(self, frame: Frame, at: float) -> None:
        what = self._answered(frame["id"], at)
        self.tally.count["commands acknowledged"] += 1
        state = frame["state"]
        if (state["id"], state["timer"]["version"]) != (frame["session"], frame["version"]):
            self._found("frame_disagrees_with_its_state", f"{frame}")
        if what is not None:
            self.user.acked(frame["session"], frame["version"], what, at)
        self._take(state, at)

    def _error(self, frame: Frame, at: float) -> None:
        if frame["id"] is not None:
            self._answered(frame["id"], at)
        self.tally.count[f"commands refused: {frame['code']}"] += 1
        if frame["code"] not in ERRORS:
            self._found("error_not_allowed", f"{frame}")
        if frame.get("state") is not None:
            self._take(frame["state"], at)

    def _pong(self, frame: Frame, at: float) -> None:
        self._answered(frame["id"], at)
        self.tally.took["a ping and its pong"].add(self.clock.take(frame, at))
        self.ticks.ponged(frame["id"])

    def _answered(self, frame_id: str, at: float) -> str | None:
        what, since = self._asked.pop(frame_id, (None, at))
        if what in {"authenticate", "sync"}:
            self.tally.took[f"{what} to `ready`"].add(at - since)
        elif what not in {None, "ping"}:
            self.tally.took["a command to its answer"].add(at - since)
        return what

    def _found(self, rule: str, example: str) -> None:
        self._findings.found(rule, f"{self.who}: {example}")
