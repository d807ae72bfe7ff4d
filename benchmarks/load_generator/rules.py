"""The rules by name, and what breaks them.

The rules are those of docs/protocol.md and of the README's "What it promises".
"""

from __future__ import annotations

from collections import Counter

RULES = {
    # ticks
    "tick_off_its_second": "a tick says how much was left, at exactly that second of the deadline",
    "tick_late": "a tick arrives before the next one is due",
    "tick_early": "a tick does not arrive before its second",
    "tick_of_a_stopped_session": "only a running session ticks",
    "tick_of_an_old_version": "ticks of an older version end within 6 s",
    "tick_repeated": "a socket receives each second once",
    "tick_not_asked_for": "`ticks every_ms` is followed",
    "ticks_left_out": "of the seconds between two ticks at most one in a hundred is left out",
    # changes
    "revision_backwards": "revisions only rise",
    "gap_not_healed": "after `sync`, or coming back, nothing is missing",
    "version_gap": "each change of a session has the next version",
    "two_states_of_one_version": "a version of a session has one state, for every reader",
    "told_differently": "all devices receive the same change for a revision",
    "told_late": "a connected device receives a change within 10 s, whatever was lost",
    "frame_disagrees_with_its_state": "a frame's session and version are its state's (a missed"
    " end's state may be newer)",
    # ends
    "ended_early": "no session ends before its deadline",
    "ended_not_at_its_deadline": "`ended_at` of a completed session is its deadline",
    "ended_late": "an end is committed at most 3 s after the deadline",
    "ended_twice": "a session ends once",
    "not_ended": "a session has ended 10 s after its deadline",
    # answers
    "ack_not_told": "a connected device receives an acknowledged change within 15 s",
    "ack_not_stored": "an acknowledged change stands in the log, as that change",
    "key_done_twice": "a command repeated with its key has one effect and one answer",
    "unanswered": "a frame that asks for an answer has it within 10 s",
    "error_not_allowed": "an error has a code that this frame can cause",
    "rest_not_allowed": "a request is answered with a status that it can cause",
    # the connection
    "not_a_frame": "each frame is a JSON object with a type and the fields of it",
    "frame_before_ready": "only errors and `closing` arrive before `ready`",
    "silent": "a frame arrives at least every second heartbeat",
    "close_not_allowed": "a socket closes with a code that was called for",
    "closed_without_closing": "`closing` says the code before the close",
    # the end of the run
    "devices_differ": "at the end all devices show what a fresh GET shows",
    "log_not_whole": "a session's log has every version once, in the order of revisions",
}


class Findings:
    """How often each rule was broken, with the first example."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.example: dict[str, str] = {}

    def found(self, rule: str, example: str) -> None:
        assert rule in RULES, rule
        self.count[rule] += 1
        self.example.setdefault(rule, example)

    def __bool__(self) -> bool:
        return bool(self.count)
