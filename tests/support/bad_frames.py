"""Frames that no honest client sends, each with the one answer to it.

`tests/unit/realtime` gives each to the decoder, `tests/hostile/frames` sends each to a server.
"""

from __future__ import annotations

import json
from typing import Any

COMMAND = {"type": "command", "id": "c", "session": 1, "action": "start"}
PING = {"type": "ping", "id": "c", "client_time": 1}
SYNC = {"type": "sync", "id": "c"}
TICKS = {"type": "ticks", "id": "c", "every_ms": 1000}
AGAIN = {"type": "authenticate", "token": "TOKEN"}


def of(message: dict[str, Any], **more: Any) -> str:
    return json.dumps(message | more)


def with_raw(message: dict[str, Any], **more: str) -> str:
    """With values that Python's encoder would not write."""
    kept = {name: value for name, value in message.items() if name not in more}
    fields = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in kept.items()]
    fields += [f"{json.dumps(name)}: {text}" for name, text in more.items()]
    return "{" + ", ".join(fields) + "}"


def without(message: dict[str, Any], name: str) -> str:
    return json.dumps({key: value for key, value in message.items() if key != name})


# Refused with `bad_message`: the frame, the id of the answer, the field that its message names.
BAD: dict[str, tuple[str | bytes, str | None, str]] = {
    "an empty text": ("", None, ""),
    "an empty binary": (b"", None, ""),
    "a good message in binary": (of(PING).encode(), None, ""),
    "a space": (" ", None, ""),
    "null": ("null", None, ""),
    "true": ("true", None, ""),
    "a number": ("42", None, ""),
    "a text": ('"ping"', None, ""),
    "a list": ("[]", None, ""),
    "an empty object": ("{}", None, "type"),
    "a list of messages": (json.dumps([PING]), None, ""),
    "two messages": (of(PING) + of(PING), None, ""),
    "a message and more": (of(PING) + " x", None, ""),
    "a message and a NUL": (of(PING) + "\0", None, ""),
    "a byte order mark": ("\ufeff" + of(PING), None, ""),
    "half a message": (of(PING)[:-1], None, ""),
    "single quotes": ("{'type': 'sync'}", None, ""),
    "a comment": ("/* */" + of(PING), None, ""),
    "a comma too many": ('{"type": "sync",}', None, ""),
    "a name without quotes": ('{type: "sync"}', None, ""),
    "a line feed in a text": ('{"type": "sync", "id": "a\nb"}', None, ""),
    "a NUL in a text": ('{"type": "sync", "id": "a\0b"}', None, ""),
    "an escape that is none": (r'{"type": "sync", "id": "\x41"}', None, ""),
    "half an escape": (r'{"type": "sync", "id": "\u12"}', None, ""),
    "a lone surrogate": (r'{"type": "sync", "id": "\ud800"}', None, ""),
    "the wrong half first": (r'{"type": "sync", "id": "\udc00\ud800"}', None, ""),
    "a lone surrogate in a name": (r'{"type": "sync", "\ud800": 1}', None, ""),
    "a lone surrogate in what nobody reads": (r'{"type": "sync", "x": ["\ud800"]}', None, ""),
    "deep lists": ("[" * 8_000 + "]" * 8_000, None, ""),
    "deep lists that never end": ("[" * 16_000, None, ""),
    "deep objects": ('{"a":' * 2_500 + "1" + "}" * 2_500, None, ""),
    "deep lists where nobody looks": (with_raw(SYNC, x="[" * 7_000 + "]" * 7_000), None, ""),
    "NaN": (with_raw(PING, client_time="NaN"), None, ""),
    "infinity": (with_raw(PING, client_time="Infinity"), None, ""),
    "minus infinity": (with_raw(PING, client_time="-Infinity"), None, ""),
    "1e400": (with_raw(PING, client_time="1e400"), "c", "client_time"),
    "a number of 5,000 digits": (with_raw(PING, client_time="9" * 5_000), "c", "client_time"),
    "a leading zero": (with_raw(PING, client_time="01"), None, ""),
    "a plus": (with_raw(PING, client_time="+1"), None, ""),
    "hexadecimal": (with_raw(PING, client_time="0x10"), None, ""),
    "no type": (without(PING, "type"), "c", "type"),
    "a type that is null": (of(PING, type=None), "c", "type"),
    "a type that is a number": (of(PING, type=1), "c", "type"),
    "a type that is a list": (of(PING, type=["ping"]), "c", "type"),
    "a type like an error": (of(PING, type="Invalid value '' - at `$.type`"), "c", "type"),
    "a type in capitals": (of(PING, type="PING"), "c", "type"),
    "a type with a space": (of(PING, type="ping "), "c", "type"),
    "a type of 10,000 letters": (of(PING, type="p" * 10_000), "c", ""),
    "the type of an answer": (of(PING, type="ready"), "c", "type"),
    "the type of a close": (of(PING, type="closing"), "c", "type"),
    "the server's disconnect": (of(PING, type="websocket.disconnect", code=1000), "c", "type"),
    "the server's close": (of(PING, type="websocket.close"), "c", "type"),
    "the server's flood": (of(PING, type="space.flooded"), "c", "type"),
    "the signal of a change": (of(PING, type="session_changed"), "c", "type"),
    "a method of the consumer": (of(PING, type="told", frame="{}"), "c", "type"),
    "a message of the channel layer": (
        of(PING, type="change", kind="change", user=1, frame="{}"),
        "c",
        "type",
    ),
    "a revocation of the channel layer": (
        of(PING, type="revoked", kind="revoked", user=1, login=None),
        "c",
        "type",
    ),
    "two types, the second of which is none": ('{"type": "sync", "type": "no"}', None, "type"),
    "an id that is a number": (of(PING, id=1), None, "id"),
    "an id that is true": (of(PING, id=True), None, "id"),
    "an id that is a list": (of(PING, id=["c"]), None, "id"),
    "an id of 65 letters": (of(PING, id="x" * 65), None, "id"),
    "an id of 10,000 letters": (of(PING, id="x" * 10_000), None, "id"),
    "a command without an id": (without(COMMAND, "id"), None, "id"),
    "a command with an id that is null": (of(COMMAND, id=None), None, "id"),
    "a command without a session": (without(COMMAND, "session"), "c", "session"),
    "a session that is a text": (of(COMMAND, session="1"), "c", "session"),
    "a session that is true": (of(COMMAND, session=True), "c", "session"),
    "a session that is a float": (of(COMMAND, session=1.5), "c", "session"),
    "a session that is a float and whole": (with_raw(COMMAND, session="1.0"), "c", "session"),
    "a session below zero": (of(COMMAND, session=-1), "c", "session"),
    "session 2**63": (of(COMMAND, session=2**63), "c", "session"),
    "session 2**64": (of(COMMAND, session=2**64), "c", "session"),
    "session 10**400": (of(COMMAND, session=10**400), "c", "session"),
    "a session that is null": (of(COMMAND, session=None), "c", "session"),
    "a session that is a list": (of(COMMAND, session=[1]), "c", "session"),
    "a session that is an object": (of(COMMAND, session={"id": 1}), "c", "session"),
    "a command without an action": (without(COMMAND, "action"), "c", "action"),
    "an unknown action": (of(COMMAND, action="explode"), "c", "action"),
    "an action of the domain": (of(COMMAND, action="complete"), "c", "action"),
    "an action of REST": (of(COMMAND, action="delete"), "c", "action"),
    "an action in capitals": (of(COMMAND, action="START"), "c", "action"),
    "an action that is null": (of(COMMAND, action=None), "c", "action"),
    "a version that is a text": (of(COMMAND, version="1"), "c", "version"),
    "a version that is true": (of(COMMAND, version=True), "c", "version"),
    "a version that is a float": (of(COMMAND, version=1.5), "c", "version"),
    "a version below zero": (of(COMMAND, version=-1), "c", "version"),
    "version 2**63": (of(COMMAND, version=2**63), "c", "version"),
    "a key that is a number": (of(COMMAND, key=1), "c", "key"),
    "an empty key": (of(COMMAND, key=""), "c", "key"),
    "a key of 256 letters": (of(COMMAND, key="k" * 256), "c", "key"),
    "a key with a NUL": (of(COMMAND, key="a\0b"), "c", "key"),
    "replace that is a number": (of(COMMAND, replace=1), "c", "replace"),
    "replace that is a text": (of(COMMAND, replace="true"), "c", "replace"),
    "seconds that are a text": (of(COMMAND, action="extend", seconds="60"), "c", "seconds"),
    "seconds that are a float": (of(COMMAND, action="extend", seconds=0.5), "c", "seconds"),
    "seconds that are true": (of(COMMAND, action="extend", seconds=True), "c", "seconds"),
    "a ping without a time": (without(PING, "client_time"), "c", "client_time"),
    "a time that is a text": (of(PING, client_time="1"), "c", "client_time"),
    "a time that is true": (of(PING, client_time=True), "c", "client_time"),
    "a time that is null": (of(PING, client_time=None), "c", "client_time"),
    "ticks without a length": (without(TICKS, "every_ms"), "c", "every_ms"),
    "ticks of half a second": (of(TICKS, every_ms=500), "c", "every_ms"),
    "ticks below zero": (of(TICKS, every_ms=-1000), "c", "every_ms"),
    "ticks of more than an hour": (of(TICKS, every_ms=3_601_000), "c", "every_ms"),
    "ticks that are a float": (of(TICKS, every_ms=1000.5), "c", "every_ms"),
    "ticks that are a text": (of(TICKS, every_ms="1000"), "c", "every_ms"),
    "ticks that are true": (of(TICKS, every_ms=True), "c", "every_ms"),
    "a since that is a text": (of(SYNC, since="1"), "c", "since"),
    "a since below zero": (of(SYNC, since=-1), "c", "since"),
    "a since that is a float": (of(SYNC, since=0.5), "c", "since"),
    "a since that is true": (of(SYNC, since=True), "c", "since"),
    "since of 5,000 digits": (with_raw(SYNC, since="-" + "9" * 5_000), "c", "since"),
    "since 2**63": (of(SYNC, since=2**63), "c", "since"),
    "an epoch that is a number": (of(SYNC, epoch=1), "c", "epoch"),
    "an epoch of 65 letters": (of(SYNC, epoch="e" * 65), "c", "epoch"),
    "no token": ('{"type": "authenticate"}', None, "token"),
    "a token that is null": (of(AGAIN, token=None), None, "token"),
    "a token that is a number": (of(AGAIN, token=1), None, "token"),
    "a token that is a list": (of(AGAIN, token=["TOKEN"]), None, "token"),
    "a token of 4,097 letters": (of(AGAIN, token="t" * 4_097), None, "token"),
    "a device that is a number": (of(AGAIN, device=1), None, "device"),
    "a device that is null": (of(AGAIN, device=None), None, "device"),
    "a device of 65 letters": (of(AGAIN, device="d" * 65), None, "device"),
    "a device of 10,000 letters": (of(AGAIN, device="d" * 10_000), None, "device"),
    "a device with a NUL": (of(AGAIN, device="a\0b"), None, "device"),
    "a device on two lines": (of(AGAIN, device="a\nb"), None, "device"),
    "a device with a line feed at its end": (of(AGAIN, device="a\n"), None, "device"),
    "a device with an escape": (of(AGAIN, device="\x1b[31m"), None, "device"),
    "a device with a control of Latin-1": (of(AGAIN, device="a\x85b"), None, "device"),
    "a device that turns the text round": (of(AGAIN, device="a\u202eb"), None, "device"),
    "a device with an isolate": (of(AGAIN, device="a\u2066b"), None, "device"),
    "a device with a separator of lines": (of(AGAIN, device="a\u2028b"), None, "device"),
}
