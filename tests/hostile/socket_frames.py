"""Frames that no honest client sends, each with the one answer to it."""

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


# Refused with `bad_message`: the frame, the id of the answer, the message.
BAD: dict[str, tuple[str | bytes, str | None, str]] = {
    "an empty text": ("", None, "A text frame with a JSON object is required."),
    "an empty binary": (b"", None, "A text frame with a JSON object is required."),
    "a good message in binary": (
        of(PING).encode(),
        None,
        "A text frame with a JSON object is required.",
    ),
    "a space": (" ", None, "Input data was truncated"),
    "null": ("null", None, "Expected `object`, got `null`"),
    "true": ("true", None, "Expected `object`, got `bool`"),
    "a number": ("42", None, "Expected `object`, got `int`"),
    "a text": ('"ping"', None, "Expected `object`, got `str`"),
    "a list": ("[]", None, "Expected `object`, got `array`"),
    "an empty object": ("{}", None, "Object missing required field `type`"),
    "a list of messages": (json.dumps([PING]), None, "Expected `object`, got `array`"),
    "two messages": (of(PING) + of(PING), None, "JSON is malformed: trailing characters (byte 46)"),
    "a message and more": (
        of(PING) + " x",
        None,
        "JSON is malformed: trailing characters (byte 47)",
    ),
    "a message and a NUL": (
        of(PING) + "\0",
        None,
        "JSON is malformed: trailing characters (byte 46)",
    ),
    "a byte order mark": (
        "\ufeff" + of(PING),
        None,
        "JSON is malformed: invalid character (byte 0)",
    ),
    "half a message": (of(PING)[:-1], None, "Input data was truncated"),
    "single quotes": (
        "{'type': 'sync'}",
        None,
        "JSON is malformed: object keys must be strings (byte 1)",
    ),
    "a comment": ("/* */" + of(PING), None, "JSON is malformed: invalid character (byte 0)"),
    "a comma too many": (
        '{"type": "sync",}',
        None,
        "JSON is malformed: trailing comma in object (byte 16)",
    ),
    "a name without quotes": (
        '{type: "sync"}',
        None,
        "JSON is malformed: object keys must be strings (byte 1)",
    ),
    "a line feed in a text": (
        '{"type": "sync", "id": "a\nb"}',
        None,
        "JSON is malformed: invalid character (byte 25)",
    ),
    "a NUL in a text": (
        '{"type": "sync", "id": "a\0b"}',
        None,
        "JSON is malformed: invalid character (byte 25)",
    ),
    "an escape that is none": (
        r'{"type": "sync", "id": "\x41"}',
        None,
        "JSON is malformed: invalid escape character in string (byte 26)",
    ),
    "half an escape": (
        r'{"type": "sync", "id": "\u12"}',
        None,
        "JSON is malformed: invalid character in unicode escape (byte 29)",
    ),
    "a lone surrogate": (r'{"type": "sync", "id": "\ud800"}', None, "Input data was truncated"),
    "the wrong half first": (
        r'{"type": "sync", "id": "\udc00\ud800"}',
        None,
        "JSON is malformed: invalid utf-16 surrogate pair (byte 30)",
    ),
    "a lone surrogate in a name": (
        r'{"type": "sync", "\ud800": 1}',
        None,
        "Input data was truncated",
    ),
    "a lone surrogate in what nobody reads": (
        r'{"type": "sync", "x": ["\ud800"]}',
        None,
        "Input data was truncated",
    ),
    "deep lists": ("[" * 8_000 + "]" * 8_000, None, "Expected `object`, got `array`"),
    "deep lists that never end": ("[" * 16_000, None, "Expected `object`, got `array`"),
    "deep objects": (
        '{"a":' * 2_500 + "1" + "}" * 2_500,
        None,
        "maximum recursion depth exceeded while deserializing an object",
    ),
    "deep lists where nobody looks": (
        with_raw(SYNC, x="[" * 7_000 + "]" * 7_000),
        None,
        "maximum recursion depth exceeded while deserializing an object",
    ),
    "NaN": (
        with_raw(PING, client_time="NaN"),
        None,
        "JSON is malformed: invalid character (byte 43)",
    ),
    "infinity": (
        with_raw(PING, client_time="Infinity"),
        None,
        "JSON is malformed: invalid character (byte 43)",
    ),
    "minus infinity": (
        with_raw(PING, client_time="-Infinity"),
        None,
        "JSON is malformed: invalid character (byte 44)",
    ),
    "1e400": (with_raw(PING, client_time="1e400"), "c", "Number out of range - at `$.client_time`"),
    "a number of 5,000 digits": (
        with_raw(PING, client_time="9" * 5_000),
        "c",
        "Number out of range - at `$.client_time`",
    ),
    "a leading zero": (
        with_raw(PING, client_time="01"),
        None,
        "JSON is malformed: invalid number (byte 44)",
    ),
    "a plus": (
        with_raw(PING, client_time="+1"),
        None,
        "JSON is malformed: invalid character (byte 43)",
    ),
    "hexadecimal": (
        with_raw(PING, client_time="0x10"),
        None,
        "JSON is malformed: expected ',' or '}' (byte 44)",
    ),
    "no type": (without(PING, "type"), "c", "Object missing required field `type`"),
    "a type that is null": (of(PING, type=None), "c", "Expected `str` - at `$.type`"),
    "a type that is a number": (of(PING, type=1), "c", "Expected `str` - at `$.type`"),
    "a type that is a list": (of(PING, type=["ping"]), "c", "Expected `str` - at `$.type`"),
    "an empty type": (
        of(PING, type="Invalid value '' - at `$.type`"),
        "c",
        "Invalid value 'Invalid value '' - at `$.type`' - at `$.type`",
    ),
    "a type in capitals": (of(PING, type="PING"), "c", "Invalid value 'PING' - at `$.type`"),
    "a type with a space": (of(PING, type="ping "), "c", "Invalid value 'ping ' - at `$.type`"),
    "a type of 10,000 letters": (of(PING, type="p" * 10_000), "c", "Invalid value '" + "p" * 185),
    "the type of an answer": (of(PING, type="ready"), "c", "Invalid value 'ready' - at `$.type`"),
    "the type of a close": (of(PING, type="closing"), "c", "Invalid value 'closing' - at `$.type`"),
    "the server's disconnect": (
        of(PING, type="websocket.disconnect", code=1000),
        "c",
        "Invalid value 'websocket.disconnect' - at `$.type`",
    ),
    "the server's close": (
        of(PING, type="websocket.close"),
        "c",
        "Invalid value 'websocket.close' - at `$.type`",
    ),
    "the server's flood": (
        of(PING, type="space.flooded"),
        "c",
        "Invalid value 'space.flooded' - at `$.type`",
    ),
    "the signal of a change": (
        of(PING, type="session_changed"),
        "c",
        "Invalid value 'session_changed' - at `$.type`",
    ),
    "a method of the consumer": (
        of(PING, type="told", frame="{}"),
        "c",
        "Invalid value 'told' - at `$.type`",
    ),
    "a message of the channel layer": (
        of(PING, type="change", kind="change", user=1, frame="{}"),
        "c",
        "Invalid value 'change' - at `$.type`",
    ),
    "a revocation of the channel layer": (
        of(PING, type="revoked", kind="revoked", user=1, login=None),
        "c",
        "Invalid value 'revoked' - at `$.type`",
    ),
    "two types, the second of which is none": (
        '{"type": "sync", "type": "no"}',
        None,
        "Invalid value 'no' - at `$.type`",
    ),
    "an id that is a number": (
        of(PING, id=1),
        None,
        "Expected `str | null`, got `int` - at `$.id`",
    ),
    "an id that is true": (
        of(PING, id=True),
        None,
        "Expected `str | null`, got `bool` - at `$.id`",
    ),
    "an id that is a list": (
        of(PING, id=["c"]),
        None,
        "Expected `str | null`, got `array` - at `$.id`",
    ),
    "an id of 65 letters": (
        of(PING, id="x" * 65),
        None,
        "Expected `str` of length <= 64 - at `$.id`",
    ),
    "an id of 10,000 letters": (
        of(PING, id="x" * 10_000),
        None,
        "Expected `str` of length <= 64 - at `$.id`",
    ),
    "a command without an id": (without(COMMAND, "id"), None, "Object missing required field `id`"),
    "a command with an id that is null": (
        of(COMMAND, id=None),
        None,
        "Expected `str`, got `null` - at `$.id`",
    ),
    "a command without a session": (
        without(COMMAND, "session"),
        "c",
        "Object missing required field `session`",
    ),
    "a session that is a text": (
        of(COMMAND, session="1"),
        "c",
        "Expected `int`, got `str` - at `$.session`",
    ),
    "a session that is true": (
        of(COMMAND, session=True),
        "c",
        "Expected `int`, got `bool` - at `$.session`",
    ),
    "a session that is a float": (
        of(COMMAND, session=1.5),
        "c",
        "Expected `int`, got `float` - at `$.session`",
    ),
    "a session that is a float and whole": (
        with_raw(COMMAND, session="1.0"),
        "c",
        "Expected `int`, got `float` - at `$.session`",
    ),
    "a session below zero": (of(COMMAND, session=-1), "c", "Expected `int` >= 0 - at `$.session`"),
    "session 2**63": (
        of(COMMAND, session=2**63),
        "c",
        "Expected `int` <= 9223372036854775807 - at `$.session`",
    ),
    "session 2**64": (
        of(COMMAND, session=2**64),
        "c",
        "Expected `int` <= 9223372036854775807 - at `$.session`",
    ),
    "session 10**400": (
        of(COMMAND, session=10**400),
        "c",
        "Expected `int` <= 9223372036854775807 - at `$.session`",
    ),
    "a session that is null": (
        of(COMMAND, session=None),
        "c",
        "Expected `int`, got `null` - at `$.session`",
    ),
    "a session that is a list": (
        of(COMMAND, session=[1]),
        "c",
        "Expected `int`, got `array` - at `$.session`",
    ),
    "a session that is an object": (
        of(COMMAND, session={"id": 1}),
        "c",
        "Expected `int`, got `object` - at `$.session`",
    ),
    "a command without an action": (
        without(COMMAND, "action"),
        "c",
        "Object missing required field `action`",
    ),
    "an unknown action": (
        of(COMMAND, action="explode"),
        "c",
        "Invalid enum value 'explode' - at `$.action`",
    ),
    "an action of the domain": (
        of(COMMAND, action="complete"),
        "c",
        "Invalid enum value 'complete' - at `$.action`",
    ),
    "an action of REST": (
        of(COMMAND, action="delete"),
        "c",
        "Invalid enum value 'delete' - at `$.action`",
    ),
    "an action in capitals": (
        of(COMMAND, action="START"),
        "c",
        "Invalid enum value 'START' - at `$.action`",
    ),
    "an action that is null": (
        of(COMMAND, action=None),
        "c",
        "Expected `str`, got `null` - at `$.action`",
    ),
    "a version that is a text": (
        of(COMMAND, version="1"),
        "c",
        "Expected `int | null`, got `str` - at `$.version`",
    ),
    "a version that is true": (
        of(COMMAND, version=True),
        "c",
        "Expected `int | null`, got `bool` - at `$.version`",
    ),
    "a version that is a float": (
        of(COMMAND, version=1.5),
        "c",
        "Expected `int | null`, got `float` - at `$.version`",
    ),
    "a version below zero": (of(COMMAND, version=-1), "c", "Expected `int` >= 0 - at `$.version`"),
    "version 2**63": (
        of(COMMAND, version=2**63),
        "c",
        "Expected `int` <= 9223372036854775807 - at `$.version`",
    ),
    "a key that is a number": (
        of(COMMAND, key=1),
        "c",
        "Expected `str | null`, got `int` - at `$.key`",
    ),
    "an empty key": (of(COMMAND, key=""), "c", "Expected `str` of length >= 1 - at `$.key`"),
    "a key of 256 letters": (
        of(COMMAND, key="k" * 256),
        "c",
        "Expected `str` of length <= 255 - at `$.key`",
    ),
    "a key with a NUL": (
        of(COMMAND, key="a\0b"),
        "c",
        "Expected `str` without control characters - at `$.key`",
    ),
    "replace that is a number": (
        of(COMMAND, replace=1),
        "c",
        "Expected `bool | null`, got `int` - at `$.replace`",
    ),
    "replace that is a text": (
        of(COMMAND, replace="true"),
        "c",
        "Expected `bool | null`, got `str` - at `$.replace`",
    ),
    "seconds that are a text": (
        of(COMMAND, action="extend", seconds="60"),
        "c",
        "Expected `int | null`, got `str` - at `$.seconds`",
    ),
    "seconds that are a float": (
        of(COMMAND, action="extend", seconds=0.5),
        "c",
        "Expected `int | null`, got `float` - at `$.seconds`",
    ),
    "seconds that are true": (
        of(COMMAND, action="extend", seconds=True),
        "c",
        "Expected `int | null`, got `bool` - at `$.seconds`",
    ),
    "a ping without a time": (
        without(PING, "client_time"),
        "c",
        "Object missing required field `client_time`",
    ),
    "a time that is a text": (
        of(PING, client_time="1"),
        "c",
        "Expected `float`, got `str` - at `$.client_time`",
    ),
    "a time that is true": (
        of(PING, client_time=True),
        "c",
        "Expected `float`, got `bool` - at `$.client_time`",
    ),
    "a time that is null": (
        of(PING, client_time=None),
        "c",
        "Expected `float`, got `null` - at `$.client_time`",
    ),
    "ticks without a length": (
        without(TICKS, "every_ms"),
        "c",
        "Object missing required field `every_ms`",
    ),
    "ticks of half a second": (
        of(TICKS, every_ms=500),
        "c",
        "Expected `int` that's a multiple of 1000 - at `$.every_ms`",
    ),
    "ticks below zero": (of(TICKS, every_ms=-1000), "c", "Expected `int` >= 0 - at `$.every_ms`"),
    "ticks of more than an hour": (
        of(TICKS, every_ms=3_601_000),
        "c",
        "Expected `int` <= 3600000 - at `$.every_ms`",
    ),
    "ticks that are a float": (
        of(TICKS, every_ms=1000.5),
        "c",
        "Expected `int`, got `float` - at `$.every_ms`",
    ),
    "ticks that are a text": (
        of(TICKS, every_ms="1000"),
        "c",
        "Expected `int`, got `str` - at `$.every_ms`",
    ),
    "ticks that are true": (
        of(TICKS, every_ms=True),
        "c",
        "Expected `int`, got `bool` - at `$.every_ms`",
    ),
    "a since that is a text": (
        of(SYNC, since="1"),
        "c",
        "Expected `int | null`, got `str` - at `$.since`",
    ),
    "a since below zero": (of(SYNC, since=-1), "c", "Expected `int` >= 0 - at `$.since`"),
    "a since that is a float": (
        of(SYNC, since=0.5),
        "c",
        "Expected `int | null`, got `float` - at `$.since`",
    ),
    "a since that is true": (
        of(SYNC, since=True),
        "c",
        "Expected `int | null`, got `bool` - at `$.since`",
    ),
    "since 2**63": (
        of(SYNC, since=2**63),
        "c",
        "Expected `int` <= 9223372036854775807 - at `$.since`",
    ),
    "an epoch that is a number": (
        of(SYNC, epoch=1),
        "c",
        "Expected `str | null`, got `int` - at `$.epoch`",
    ),
    "an epoch of 65 letters": (
        of(SYNC, epoch="e" * 65),
        "c",
        "Expected `str` of length <= 64 - at `$.epoch`",
    ),
    "no token": ('{"type": "authenticate"}', None, "Object missing required field `token`"),
    "a token that is null": (
        of(AGAIN, token=None),
        None,
        "Expected `str`, got `null` - at `$.token`",
    ),
    "a token that is a number": (
        of(AGAIN, token=1),
        None,
        "Expected `str`, got `int` - at `$.token`",
    ),
    "a token that is a list": (
        of(AGAIN, token=["TOKEN"]),
        None,
        "Expected `str`, got `array` - at `$.token`",
    ),
    "a token of 4,097 letters": (
        of(AGAIN, token="t" * 4_097),
        None,
        "Expected `str` of length <= 4096 - at `$.token`",
    ),
    "a device that is a number": (
        of(AGAIN, device=1),
        None,
        "Expected `str`, got `int` - at `$.device`",
    ),
    "a device that is null": (
        of(AGAIN, device=None),
        None,
        "Expected `str`, got `null` - at `$.device`",
    ),
    "a device of 65 letters": (
        of(AGAIN, device="d" * 65),
        None,
        "Expected `str` of length <= 64 - at `$.device`",
    ),
    "a device of 10,000 letters": (
        of(AGAIN, device="d" * 10_000),
        None,
        "Expected `str` of length <= 64 - at `$.device`",
    ),
    "a device with a NUL": (
        of(AGAIN, device="a\0b"),
        None,
        "Expected `str` without control characters - at `$.device`",
    ),
    "a device on two lines": (
        of(AGAIN, device="a\nb"),
        None,
        "Expected `str` without control characters - at `$.device`",
    ),
    "a device with a line feed at its end": (
        of(AGAIN, device="a\n"),
        None,
        "Expected `str` without control characters - at `$.device`",
    ),
    "a device with an escape": (
        of(AGAIN, device="\x1b[31m"),
        None,
        "Expected `str` without control characters - at `$.device`",
    ),
    "a device with a control of Latin-1": (
        of(AGAIN, device="a\x85b"),
        None,
        "Expected `str` without control characters - at `$.device`",
    ),
    "a device that turns the text round": (
        of(AGAIN, device="a\u202eb"),
        None,
        "Expected `str` without control characters - at `$.device`",
    ),
    "a device with an isolate": (
        of(AGAIN, device="a\u2066b"),
        None,
        "Expected `str` without control characters - at `$.device`",
    ),
    "a device with a separator of lines": (
        of(AGAIN, device="a\u2028b"),
        None,
        "Expected `str` without control characters - at `$.device`",
    ),
}
