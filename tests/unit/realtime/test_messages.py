"""The wire protocol: what is understood, what is refused, and how a change is case."""

from __future__ import annotations

import json
import typing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.protocol import messages
from realtime.protocol.close_codes import Close
from realtime.protocol.examples import COMPLETED, STAR, TASK
from realtime.protocol.messages import BadFrame, decode
from sessions_app.events import (
    ENDS,
    ChangeKind,
    Reminded,
    SessionChanged,
)
from tests.support.bad_frames import BAD

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COMMAND = {"type": "command", "id": "c1", "session": 7, "action": "pause"}
PING = {"type": "ping", "id": "p1", "client_time": 1.5}
TICKS = {"type": "ticks", "id": "t1", "every_ms": 5000}


# -- from the client -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"type": "authenticate", "token": "t"}, messages.Authenticate(token="t")),
        (
            {"type": "authenticate", "token": "t", "device": "é", "epoch": "e", "since": 41},
            messages.Authenticate(token="t", device="é", epoch="e", since=41),
        ),
        (COMMAND, messages.Command(id="c1", session=7, action="pause")),
        (
            COMMAND | {"action": "extend", "seconds": -60, "version": 3, "key": "k"},
            messages.Command(id="c1", session=7, action="extend", seconds=-60, version=3, key="k"),
        ),
        (
            COMMAND | {"action": "start", "replace": True},
            messages.Command(id="c1", session=7, action="start", replace=True),
        ),
        (PING, messages.Ping(id="p1", client_time=1.5)),
        ({"type": "ping", "client_time": 5}, messages.Ping(client_time=5.0)),
        (TICKS, messages.Ticks(id="t1", every_ms=5000)),
        ({"type": "ticks", "every_ms": 0}, messages.Ticks(every_ms=0)),
        ({"type": "sync"}, messages.Sync()),
        ({"type": "sync", "epoch": "e", "since": 0}, messages.Sync(epoch="e", since=0)),
        ({"type": "sync", "of a later version": [1]}, messages.Sync()),
    ],
    ids=str,
)
def test_a_valid_frame_is_decoded(frame: dict[str, Any], message: messages.Message) -> None:
    assert decode(json.dumps(frame)) == message


@pytest.mark.parametrize("action", ["start", "pause", "resume", "extend", "finish", "cancel"])
def test_every_action_of_the_timer_is_a_command(action: str) -> None:
    command = decode(json.dumps(COMMAND | {"action": action}))
    assert isinstance(command, messages.Command)
    assert command.action == action


def test_every_message_of_a_client_is_tried_above() -> None:
    tried = {"authenticate", "command", "ping", "ticks", "sync"}
    assert {t.__struct_config__.tag for t in typing.get_args(messages.Inbound)} == tried


HUGE = {
    "no JSON": "ping",
    "very deep lists": "[" * 200_000,
    "very deep objects": '{"a":' * 50_000,
    "deep lists in a message": '{"type": "sync", "a":' + "[" * 200_000,
    "a raw lone surrogate": '{"type": "sync", "epoch": "\ud800"}',
    "a huge id": json.dumps(PING | {"id": "x" * 100_000}),
}
TEXTS = {name: row for name, row in BAD.items() if isinstance(row[0], str)}


@pytest.mark.parametrize(
    ("frame", "frame_id", "field"),
    [*TEXTS.values(), *((text, None, "") for text in HUGE.values())],
    ids=[*TEXTS, *HUGE],
)
def test_any_other_frame_is_refused_under_its_id(
    frame: str, frame_id: str | None, field: str
) -> None:
    with pytest.raises(BadFrame) as refusal:
        decode(frame)
    assert refusal.value.id == frame_id
    assert field in str(refusal.value)
    assert 0 < len(str(refusal.value)) <= 200


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
names = st.sampled_from(
    [
        *("type", "id", "token", "device", "epoch", "since", "session", "action", "version"),
        *("key", "seconds", "replace", "client_time", "every_ms"),
    ]
)
types = st.sampled_from(["authenticate", "command", "ping", "ticks", "sync", "closing"])
values = anything | types | st.sampled_from(["start", "pause", "", "\0", "\ud800", 0, 1, 2**63])


def is_understood_or_refused(text: str) -> None:
    try:
        message = decode(text)
    except BadFrame as bad:
        # What is answered can be sent.
        error = messages.Error(id=bad.id, code="bad_message", message=str(bad))
        error.as_text().encode()
    else:
        assert isinstance(message, typing.get_args(messages.Inbound))
        message.as_text().encode()


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=200))
def test_text_raises_nothing_but_bad_frame(text: str) -> None:
    is_understood_or_refused(text)


@given(anything)
def test_json_raises_nothing_but_bad_frame(value: Any) -> None:
    is_understood_or_refused(json.dumps(value))


@given(st.dictionaries(names, values), types, st.booleans())
def test_a_nearly_valid_message_raises_nothing_but_bad_frame(
    fields: dict[str, Any], kind: str, ascii_only: bool
) -> None:
    is_understood_or_refused(json.dumps({"type": kind} | fields, ensure_ascii=ascii_only))


# -- from the server -----------------------------------------------------------------------------


@dataclass
class Case:
    """A change, and its frame."""

    cause: ChangeKind
    frame: str
    more: dict[str, Any]
    fields: dict[str, Any]


ENDED = {
    "ended_at": COMPLETED.as_json()["timer"]["ended_at"],
    "late_ms": 12,
    "space": STAR.as_json(),
}
CHANGES = [
    *(
        Case(cause, "session.state", {}, {})
        for cause in typing.get_args(ChangeKind)
        if cause not in ENDS | {"deleted"}
    ),
    Case("completed", "session.ended", {"space": STAR, "data": {"late_ms": 12}}, ENDED),
    Case("finished", "session.ended", {"space": STAR, "data": {"late_ms": 12}}, ENDED),
    Case("cancelled", "session.ended", {}, {**ENDED, "late_ms": None, "space": None}),
    Case("deleted", "session.deleted", {"state": None}, {}),
    Case("tasks_edited", "task.changed", {"task": TASK}, {"task": TASK.as_json()}),
    Case("tasks_edited", "task.deleted", {"task_deleted": 3}, {"task": 3}),
]


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: f"{case.cause}: {case.frame}")
def test_each_kind_of_change_has_its_frame(case: Case) -> None:
    change: dict[str, Any] = {
        "user_id": 1,
        "revision": 41,
        "session_id": 2,
        "version": 3,
        "kind": case.cause,
        "at": NOON,
        "device": "Laptop",
        "data": {},
        "state": COMPLETED,
    } | case.more
    frame = json.loads(messages.of_change(SessionChanged(**change)).as_text())
    state = None if change["state"] is None else COMPLETED.as_json()
    assert frame == {
        "type": case.frame,
        "session": 2,
        "version": 3,
        "revision": 41,
        "cause": case.cause,
        "device": "Laptop",
        "state": state,
        **case.fields,
    }


def test_a_reminder_has_no_revision_since_it_changes_nothing() -> None:
    reminder = Reminded(user=1, session=7, version=4, remaining_ms=59_990, offset_s=60)
    assert json.loads(messages.of_reminder(reminder).as_text()) == {
        "type": "session.reminder",
        "session": 7,
        "version": 4,
        "remaining_ms": 59_990,
        "offset_s": 60,
    }


def test_an_error_carries_the_session_only_where_there_is_one() -> None:
    bare = messages.Error(id=None, code="bad_message", message="No.")
    assert json.loads(bare.as_text()) == {
        "type": "error",
        "id": None,
        "code": "bad_message",
        "message": "No.",
    }
    full = messages.Error(id="c1", code="x", message="No.", session=7, version=4, state=COMPLETED)
    assert json.loads(full.as_text())["state"]["timer"]["version"] == 3


def test_a_code_asks_to_reconnect_only_if_that_can_help() -> None:
    stop = {code for code in Close if not code.come_back}
    assert stop == {4400, 4403, 4409, 4413}
