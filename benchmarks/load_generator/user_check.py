"""Compares what all devices of one user have received."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.state import State, lasting

MOST = 512  # changes that are remembered; a device that was away receives at most 200
STORED_WITHIN_MS = 15_000
CAUSES = {
    "start": {"started"},
    "pause": {"paused"},
    "resume": {"resumed"},
    "extend": {"extended", "finished"},  # taking away all that is left finishes
    "finish": {"finished"},
    "cancel": {"cancelled"},
}
ENDS = {"completed", "finished", "cancelled"}


class UserCheck:
    """`changes`: the newest ones by revision; `states`: by session and version."""

    def __init__(self, name: str, findings: Findings) -> None:
        self.name = name
        self._findings = findings
        self._changes: OrderedDict[int, tuple[int, int, str]] = OrderedDict()
        self._causes: OrderedDict[tuple[int, int], str] = OrderedDict()
        self._states: OrderedDict[tuple[int, int], State] = OrderedDict()
        self._ends: OrderedDict[int, int] = OrderedDict()  # session: the revision of its end
        self._acked: dict[tuple[int, int], tuple[str, float]] = {}
        self.highest_ack: dict[int, int] = {}  # session: version

    def received(self, change: dict[str, Any], who: str) -> None:
        """A frame of a change, or a row of what was missed (with `kind` for `cause`)."""
        session, version, revision = change["session"], change["version"], change["revision"]
        cause = change.get("cause") or change["kind"]
        this = (session, version, cause)
        if self._changes.setdefault(revision, this) != this:
            self._found(
                "told_differently", f"{who}: {revision} is {this}, was {self._changes[revision]}"
            )
        self._causes[session, version] = cause
        if cause in ENDS and self._ends.setdefault(session, revision) != revision:
            self._found("ended_twice", f"{who}: {this} at {revision} and {self._ends[session]}")
        if cause == "deleted":
            self.highest_ack.pop(session, None)
        self._hold_to_ack(session, version)
        for memory in (self._changes, self._causes, self._ends):
            _shorten(memory)

    def one_state(self, state: State, who: str) -> State:
        """The state without what passes: the same object for all devices that received the same."""
        key = (state["id"], state["timer"]["version"])
        mine = lasting(state)
        known = self._states.setdefault(key, mine)
        _shorten(self._states)
        if known != mine:
            self._found("two_states_of_one_version", f"{who}: {mine} was {known}")
            return mine
        return known

    def state_of(self, session: int, version: int) -> State | None:
        return self._states.get((session, version))

    # -- acknowledgements ------------------------------------------------------------------------

    def acked(self, session: int, version: int, action: str, at: float) -> None:
        self._acked[session, version] = action, at
        self.highest_ack[session] = max(version, self.highest_ack.get(session, 0))
        self._hold_to_ack(session, version)

    def stored(self, states: list[State]) -> None:
        """A fresh list: what is acknowledged up to these versions is stored, as far as it says."""
        versions = {state["id"]: state["timer"]["version"] for state in states}
        for session, version in list(self._acked):
            if version <= versions.get(session, 0):
                del self._acked[session, version]

    def look_for_lost_acks(
        self, at: float, *, somebody_listens: bool, rule: str = "ack_not_told"
    ) -> None:
        """`rule` is another one at the end, when all that is stored has been read."""
        for (session, version), (action, since) in list(self._acked.items()):
            if not somebody_listens:
                self._acked[session, version] = action, at
            elif at - since > STORED_WITHIN_MS:
                del self._acked[session, version]
                self._found(
                    rule,
                    f"{self.name}: {action} of session {session} was acknowledged as version "
                    f"{version}, and no device received it within {STORED_WITHIN_MS // 1000} s",
                )

    def _hold_to_ack(self, session: int, version: int) -> None:
        cause = self._causes.get((session, version))
        if cause is None or (session, version) not in self._acked:
            return
        action, _ = self._acked.pop((session, version))
        if cause not in CAUSES[action]:
            self._found(
                "ack_not_stored",
                f"{self.name}: {action} of session {session} was acknowledged as version "
                f"{version}, which is {cause!r}",
            )

    def _found(self, rule: str, example: str) -> None:
        self._findings.found(rule, example)


def _shorten(memory: OrderedDict[Any, Any]) -> None:
    while len(memory) > MOST:
        memory.popitem(last=False)
