"""Frames that no honest client sends, to the real consumer: each has one answer, and no effect."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from realtime.protocol.messages import LARGEST_FIRST_FRAME, LARGEST_FRAME
from tests.support.bad_frames import AGAIN, BAD, COMMAND, PING, SYNC, TICKS, of, with_raw, without
from tests.support.devices import Person, RawSocket, raw

PAUSE, EXTEND = COMMAND | {"action": "pause"}, COMMAND | {"action": "extend"}
MAX = 1.7976931348623157e308


async def still_answers(socket: RawSocket) -> None:
    await socket.send(type="ping", id="still here", client_time=1)
    pong = await socket.next("pong", "error", "closing")
    assert (pong["type"], pong["id"]) == ("pong", "still here")


@pytest.mark.usefixtures("unlimited")
async def test_a_bad_frame_is_answered_with_the_reason(ada: Person) -> None:
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        for name, (frame, frame_id, field) in BAD.items():
            await socket.send_raw(frame)
            answer = await socket.next()
            assert is_bad_message(answer, frame_id, field), (name, answer)
        await still_answers(socket)


BEFORE_AUTHENTICATE = [
    *("an empty text", "a good message in binary", "null", "deep lists", "1e400"),
    *("an unknown action", "no token", "a token of 4,097 letters", "a device with an escape"),
    *("a message of the channel layer", "the server's disconnect"),
]


async def test_a_bad_frame_before_authenticate_is_answered_the_same(base: str) -> None:
    for name in BEFORE_AUTHENTICATE:
        frame, frame_id, field = BAD[name]
        async with raw(base) as socket:
            await socket.send_raw(frame[:LARGEST_FIRST_FRAME])
            answer = await socket.next()
            assert is_bad_message(answer, frame_id, field), (name, answer)


def is_bad_message(answer: dict[str, Any], frame_id: str | None, field: str) -> bool:
    why = answer.pop("message")
    expected = {"type": "error", "id": frame_id, "code": "bad_message"}
    return answer == expected and field in why and 0 < len(why) <= 200


# -- frames that are well-formed and odd ---------------------------------------------------------

# Commands of a user who has one session, 1 in these, and the code of the error.
REFUSED: dict[str, tuple[str, str]] = {
    "session 0": (of(COMMAND, session=0), "not_found"),
    "session 2**31": (of(COMMAND, session=2**31), "not_found"),
    "session 2**63 - 1": (of(COMMAND, session=2**63 - 1), "not_found"),
    "a version of the future": (of(COMMAND, version=2**63 - 1), "stale_version"),
    "version 0": (of(COMMAND, version=0), "stale_version"),
    "a pause of what does not run": (of(PAUSE), "illegal_transition"),
    "an extension without seconds": (of(EXTEND), "invalid"),
    "an extension by more than a day": (of(EXTEND, seconds=86_401), "invalid"),
    "an extension by less than minus a day": (of(EXTEND, seconds=-86_401), "invalid"),
    "an extension by 10**400": (of(EXTEND, seconds=10**400), "invalid"),
    "an extension by -2**63": (of(EXTEND, seconds=-(2**63)), "invalid"),
    "a key of a script": (of(PAUSE, key="'; DROP TABLE accounts_user; --"), "illegal_transition"),
    "a key of 255 emoji": (of(PAUSE, key="🚀" * 255), "illegal_transition"),
    "a command with other fields": (
        of(PAUSE, user=99, status="completed", state={}, title="x"),
        "illegal_transition",
    ),
}
# Frames of this user, and a part of what comes back.
ANSWERED: dict[str, tuple[str, dict[str, Any]]] = {
    "an empty id": (of(PING, id=""), {"id": ""}),
    "an id of 64 letters": (of(PING, id="x" * 64), {"id": "x" * 64}),
    "an id of emoji": (of(PING, id="🚀" * 64), {"id": "🚀" * 64}),
    "an id with a NUL": (of(PING, id="a\0b"), {"id": "a\0b"}),
    "an id that turns the text round": (of(PING, id="\u202e"), {"id": "\u202e"}),
    "an id with a script": (of(PING, id="<script>alert(1)"), {"id": "<script>alert(1)"}),
    "an id that is null": (of(PING, id=None), {"id": None}),
    "no id": (without(PING, "id"), {"id": None}),
    "the largest time": (with_raw(PING, client_time=f"{MAX}"), {"client_time": MAX}),
    "the least time": (with_raw(PING, client_time=f"-{MAX}"), {"client_time": -MAX}),
    "the smallest time": (with_raw(PING, client_time="5e-324"), {"client_time": 5e-324}),
    "a time of next to nothing": (with_raw(PING, client_time="1e-400"), {"client_time": 0.0}),
    "minus zero": (with_raw(PING, client_time="-0.0"), {"client_time": 0.0}),
    "a time of 300 digits": (with_raw(PING, client_time="9" * 300), {"client_time": 1e300}),
    "a field twice: the last counts": (of(PING)[:-1] + ', "client_time": 2}', {"client_time": 2.0}),
    "an escaped name": (of(PING).replace("type", r"\u0074ype"), {"type": "pong"}),
    "an escaped type": (of(PING).replace('"ping', r'"p\u0069ng'), {"type": "pong"}),
    "spaces all around": (" \n\t" + of(PING) + "\r\n ", {"id": "c"}),
    "fields of nobody": (of(PING, user=1, version="1", __class__="x", constructor={}), {"id": "c"}),
    "since 2**63 - 1": (of(SYNC, since=2**63 - 1), {"type": "ready", "reset": True}),
    "since 0 without an epoch": (of(SYNC, since=0), {"type": "ready", "reset": False}),
    "an empty epoch": (of(SYNC, since=0, epoch=""), {"type": "ready", "reset": True}),
    "an epoch with a NUL": (of(SYNC, since=0, epoch="\0"), {"type": "ready", "reset": True}),
    "an epoch with quotes": (of(SYNC, since=0, epoch="' OR 1"), {"type": "ready", "reset": True}),
}


@pytest.mark.usefixtures("unlimited")
async def test_a_well_formed_and_odd_frame_has_its_answer(ada: Person) -> None:
    session = await ada.has_session()
    refused = {name: (text, {"code": code}) for name, (text, code) in REFUSED.items()}
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        for name, (frame, expected) in {**refused, **ANSWERED}.items():
            await socket.send_raw(frame.replace('"session": 1,', f'"session": {session.id},'))
            # Not the frame of the created session, which may come late by way of Redis.
            answer = await socket.next("error", "pong", "ready")
            assert expected.items() <= answer.items(), (name, answer)
        await still_answers(socket)


@pytest.mark.parametrize("every_ms", [0, 1000, 3_600_000])
async def test_ticks_have_no_answer(ada: Person, every_ms: int) -> None:
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        await socket.send_raw(of(TICKS, every_ms=every_ms))
        await still_answers(socket)


@pytest.mark.parametrize(
    "device", ["", "d" * 64, "Ada's \U0001f4bb", "<b>", "' OR 1=1 --", "ελληνικά", "עברית"]
)
async def test_a_device_may_be_called_so(ada: Person, device: str) -> None:
    session = await ada.has_session()
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access, device=device)
        await socket.send_raw(of(COMMAND, session=session.id))
        told = await socket.next("session.state")
        if told["cause"] == "created":  # which may come late, by way of Redis
            told = await socket.next("session.state")
        assert told["device"] == (device or "Laptop")


# -- sizes ---------------------------------------------------------------------------------------


async def test_the_limit_of_a_frame_counts_bytes_and_not_letters(ada: Person) -> None:
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        await socket.send_raw(json.dumps("🚀" * (LARGEST_FRAME // 4), ensure_ascii=False))
        assert (await socket.ending()).code == 4413


async def test_a_first_frame_has_a_smaller_limit(ada: Person) -> None:
    hello = json.dumps({**AGAIN, "token": ada.account.access})
    async with raw(ada.account.base) as socket:
        await socket.send_raw(hello + " " * (LARGEST_FIRST_FRAME - len(hello)))
        assert (await socket.next())["type"] == "ready"
    async with raw(ada.account.base) as socket:
        await socket.send_raw(hello + " " * (LARGEST_FIRST_FRAME - len(hello) + 1))
        ending = await socket.ending()
    assert (ending.code, ending.reason) == (4413, "too_large")


# -- coming in -----------------------------------------------------------------------------------


async def test_a_user_who_connects_too_often_must_wait_and_others_need_not(
    ada: Person, eve: Person
) -> None:
    ready, began = 0, time.monotonic()
    while True:
        async with raw(ada.account.base) as socket:
            answer = await socket.authenticate(ada.account.access)
        if answer["type"] != "ready":
            break
        ready += 1
        assert ready <= 61 + time.monotonic() - began  # sixty at once, and one more each second
    assert ready >= 60
    expected = {"code": 4429, "reason": "rate_limited", "reconnect": True, "after_ms": 10_000}
    assert answer == {"type": "closing"} | expected
    async with raw(ada.account.base) as socket:
        assert (await socket.authenticate(eve.account.access))["type"] == "ready"


async def test_authenticating_again_on_the_same_socket_is_no_coming_in(ada: Person) -> None:
    async with raw(ada.account.base) as socket:
        for _ in range(30):
            assert (await socket.authenticate(ada.account.access))["type"] == "ready"


async def test_ten_devices_that_lose_their_network_together_come_in_together(ada: Person) -> None:
    for _ in range(5):
        sockets = [raw(ada.account.base) for _ in range(10)]
        opened = await asyncio.gather(*(socket.__aenter__() for socket in sockets))
        first = await asyncio.gather(*(s.authenticate(ada.account.access) for s in opened))
        assert {frame["type"] for frame in first} == {"ready"}
        await asyncio.gather(*(socket.__aexit__(None, None, None) for socket in sockets))


async def test_silent_sockets_make_room_and_authenticated_ones_stay(
    ada: Person, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SOCKETS_UNAUTHENTICATED = 3
    monkeypatch.setattr("realtime.hub.unauthenticated.SILENT_S", 0.05)
    monkeypatch.setattr("realtime.hub.unauthenticated.CHECK_INTERVAL_S", 0.05)
    async with raw(ada.account.base) as speaker:
        await speaker.authenticate(ada.account.access)
        strangers = [raw(ada.account.base) for _ in range(5)]
        opened = [await stranger.__aenter__() for stranger in strangers]
        endings = [await stranger.ending() for stranger in opened[:2]]
        for stranger in opened[2:]:
            assert (await stranger.authenticate(ada.account.access))["type"] == "ready"
        await still_answers(speaker)
        for stranger in strangers:
            await stranger.__aexit__(None, None, None)
    assert {(ending.code, ending.reason) for ending in endings} == {(4408, "not_authenticated")}
    assert {ending.closing["reconnect"] for ending in endings} == {True}
