"""Bytes that no honest client sends, on both servers: handshakes, frames, floods.

What the server libraries answer themselves is theirs (1002, 1007, 1009; uvicorn's closes, Daphne's
cuts); that nothing else happens is ours: no answer of a 5xx, no 1011, no traceback.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.hostile.sockets import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Heard,
    close,
    connected,
    frame,
    handshake,
    opened,
    say,
)
from tests.support.devices import Person, person
from tests.support.servers import Server, servers

CUT = {None, 1005, 1006}  # no code is seen: the connection just ends


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def server(
    request: pytest.FixtureRequest,
    django_db_setup: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("hostile"), request.param) as [one]:
        yield one


@pytest.fixture
async def ada(server: Server, transactional_db: None) -> AsyncIterator[Person]:
    """Somebody whose other device is never disturbed."""
    ada = await person(server.base, "ada")
    async with opened(server.base, ada.account.access) as other:
        yield ada
        await other.send(say(type="ping", id="still here", client_time=1))
        assert (await other.next("pong", "closing"))["type"] == "pong"


@pytest.fixture(autouse=True)
def _clean_log(server: Server) -> Iterator[None]:
    before = len(server.log)
    yield
    new = server.log[before:]
    assert "Traceback" not in new, new
    assert " ERROR " not in new, new
    assert " CRITICAL " not in new, new


# -- handshakes ----------------------------------------------------------------------------------

CUT_OFF = 0  # not even answered: Twisted reads no line of more than 16 KB
# The status that each is answered with; a set where the libraries differ.
HANDSHAKES: dict[str, tuple[dict[str, Any], set[int]]] = {
    "a good one is accepted": ({}, {101}),
    "compression is not negotiated": (
        {"lines": ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]},
        {101},
    ),
    "an unknown extension is not negotiated": (
        {"lines": ["Sec-WebSocket-Extensions: x-made-up; a=b"]},
        {101},
    ),
    "no subprotocol is chosen of one": ({"lines": ["Sec-WebSocket-Protocol: chat"]}, {101}),
    "no subprotocol is chosen of a thousand": (
        {"lines": ["Sec-WebSocket-Protocol: " + ", ".join(f"p{n}" for n in range(1000))]},
        {101},
    ),
    "a subprotocol that is none": ({"lines": ["Sec-WebSocket-Protocol: ,,;"]}, {101, 400}),
    "extensions that cannot be read": (
        {"lines": ['Sec-WebSocket-Extensions: ;;"']},
        {101, 400},
    ),
    "a foreign origin": ({"lines": ["Origin: https://evil.example"]}, {403}),
    "the origin null": ({"lines": ["Origin: null"]}, {403}),
    "an empty origin": ({"lines": ["Origin: "]}, {400, 403}),
    "two origins": (
        {"lines": ["Origin: http://localhost:5173", "Origin: https://evil.example"]},
        {400, 403},
    ),
    "an origin that is no text": ({"lines": ["Origin: \xff\xfe"]}, {400, 403}),
    "an origin with a NUL": ({"lines": ["Origin: http://localhost:5173\0"]}, {400, 403}),
    "a huge origin": ({"lines": ["Origin: " + "x" * 7000]}, {400, 403}),
    "another path": ({"path": "/elsewhere/"}, {403, 404}),
    "a path with a NUL": ({"path": "/ws/%00"}, {403, 404}),
    "a path that is no UTF-8": ({"path": "/ws/%ff%fe"}, {403, 404}),
    "a path of raw bytes": ({"path": "/ws/\xff"}, {400, 403, 404}),
    "a path that climbs": ({"path": "/ws/../ws/"}, {403, 404}),
    "a path of 60 KB": ({"path": "/" + "x" * 60_000}, {CUT_OFF, 400, 403, 404, 414}),
    "a token in the address is not read": ({"path": "/ws/?token=nonsense"}, {101}),
    "no key": ({"without": "Sec-WebSocket-Key"}, {400}),
    "a key that is too short": (
        {"without": "Sec-WebSocket-Key", "lines": ["Sec-WebSocket-Key: AAAA"]},
        {400},
    ),
    "a key that is no base64": (
        {"without": "Sec-WebSocket-Key", "lines": ["Sec-WebSocket-Key: " + "!" * 24]},
        {400},
    ),
    "two keys": ({"lines": ["Sec-WebSocket-Key: BBBBBBBBBBBBBBBBBBBBBA=="]}, {400}),
    "no version": ({"without": "Sec-WebSocket-Version"}, {400, 426}),
    "an old version": (
        {"without": "Sec-WebSocket-Version", "lines": ["Sec-WebSocket-Version: 8"]},
        {101, 400, 426},  # Daphne knows a draft of the same frames
    ),
    "a version that is no number": (
        {"without": "Sec-WebSocket-Version", "lines": ["Sec-WebSocket-Version: x"]},
        {400, 426},
    ),
    "no connection header": ({"without": "Connection"}, {400, 404, 426}),
    "no upgrade header": ({"without": "Upgrade"}, {400, 404, 426}),
    "an upgrade to something else": (
        {"without": "Upgrade", "lines": ["Upgrade: h2c"]},
        {400, 404, 426},
    ),
    "no host": ({"without": "Host"}, {101, 400}),
    "HTTP/1.0 is as good as 1.1": ({"first": "GET /ws/ HTTP/1.0"}, {101}),
    "a POST that upgrades": ({"first": "POST /ws/ HTTP/1.1"}, {400, 405}),
    "200 headers": ({"lines": [f"X-{n}: {n}" for n in range(200)]}, {101, 400, 431}),
    "a header of 60 KB": ({"lines": ["X-Big: " + "x" * 60_000]}, {CUT_OFF, 400, 431}),
    "a header with a NUL": ({"lines": ["X-Nul: a\0b"]}, {101, 400}),
    "a folded header": ({"lines": ["X-Folded: a", " b"]}, {101, 400}),
    "a header without a name": ({"lines": [": nothing"]}, {101, 400}),
    "a header that is no text": ({"lines": ["X-Bytes: \xff\xfe\x80"]}, {101, 400}),
    "a body": ({"lines": ["Content-Length: 5"], "body": b"hello"}, {CUT_OFF, 101, 400}),
    "a body in chunks": (
        {"lines": ["Transfer-Encoding: chunked"], "body": b"0\r\n\r\n"},
        {101, 400},
    ),
    "two lengths": ({"lines": ["Content-Length: 5", "Content-Length: 6"]}, {101, 400}),
    "authorization that is none": ({"lines": ["Authorization: Bearer"]}, {101}),
    "a bearer of raw bytes": ({"lines": ["Authorization: Bearer \xff\xfe"]}, {101, 400}),
}


async def test_a_handshake_is_answered(server: Server) -> None:
    host = server.base.removeprefix("http://")
    for name, (given, statuses) in HANDSHAKES.items():
        lines, body = given.get("lines", []), given.get("body", b"")
        other = {name: value for name, value in given.items() if name not in {"lines", "body"}}
        async with connected(server.base) as wire:
            await wire.send(handshake(host, *lines, **other), body)
            await wire.answer()
            assert wire.heard.status in statuses, (name, wire.heard.head)
            assert not {"sec-websocket-extensions", "sec-websocket-protocol"} & {*wire.heard.header}
            if wire.heard.status != 101:
                assert b"<html" not in (await wire.body()).lower(), name


async def test_a_handshake_that_never_ends_is_ended(server: Server) -> None:
    """By a time-out of the server's; here only: it keeps nobody else from coming in."""
    async with connected(server.base) as slow:
        await slow.send(handshake(server.base.removeprefix("http://"))[:-2])
        async with opened(server.base):
            pass


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_without_an_upgrade_there_is_an_error_of_the_api(server: Server, method: str) -> None:
    host = server.base.removeprefix("http://")
    async with connected(server.base) as wire:
        await wire.send(f"{method} /ws/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await wire.answer()
        assert wire.heard.status in {404, 405}
        if method != "HEAD":
            assert wire.heard.header["content-type"] == "application/json"
            answer = json.loads(await wire.body())
            assert answer.keys() == {"error", "code", "detail", "request_id"}
            assert answer["code"] in {"not_found", "method_not_allowed"}


# -- frames --------------------------------------------------------------------------------------

PING_MESSAGE = say(type="ping", id="p", client_time=1)
NUL_HEAD = b"\x81\xff" + (2**63).to_bytes(8)  # a length that has its highest bit set

# What is sent by who is authenticated, and the codes of the close that may be seen.
BROKEN: dict[str, tuple[bytes, set[int | None]]] = {
    "a frame without a mask": (frame(TEXT, "{}", mask=False), {1002}),
    "a ping without a mask": (frame(PING, b"x", mask=False), {1002}),
    "reserved bit 1": (frame(TEXT, "{}", rsv=4), {1002}),
    "reserved bit 2": (frame(TEXT, "{}", rsv=2), {1002}),
    "reserved bit 3": (frame(TEXT, "{}", rsv=1), {1002}),
    "a reserved opcode": (frame(0x3, b"x"), {1002}),
    "a reserved control opcode": (frame(0xB, b"x"), {1002}),
    "a continuation of nothing": (frame(CONT, b"x"), {1002}),
    "a message within a message": (frame(TEXT, "{", fin=False) + frame(TEXT, "}"), {1002}),
    "a ping in two pieces": (frame(PING, b"x", fin=False), {1002}),
    "a ping that is too long": (frame(PING, b"x" * 126), {1002}),
    "a close in two pieces": (frame(CLOSE, b"\x03\xe8", fin=False), {1002}),
    "a close of one byte": (frame(CLOSE, b"x"), {1002}),
    "a close with a code that is none": (close(999), {1002}),
    "a close with a code nobody may send": (close(1005), {1002}),
    "a close with a code of another world": (close(65_535), {1002}),
    "a close whose reason is no text": (close(1000, b"\xff"), {1002, 1007}),
    "a length of 2**63": (NUL_HEAD + b"\0" * 8, {1002, 1009}),
    "a length of 2**62": (frame(TEXT, says=2**62), {1009}),
    "a gigabyte that never comes": (frame(TEXT, b"x", says=10**9), {1009}),
    "too large a message in small pieces": (
        frame(TEXT, b"x" * 1000, fin=False) + frame(CONT, b"x" * 1000, fin=False) * 70,
        {1009},
    ),
    "text that is no UTF-8": (frame(TEXT, b"\xff\xfe"), {1007}),
    "text that is half a letter": (frame(TEXT, b"\xc3"), {1007}),
    "a lone surrogate in UTF-8": (frame(TEXT, b"\xed\xa0\x80"), {1007}),
    "text that is no UTF-8 and a close": (frame(TEXT, b"\xff") + close(), {1000, 1007}),
    "a letter in two pieces that is none": (
        frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"\xc3"),
        {1007},
    ),
    "no frame at all": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", {1002}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500, {1002}),
    "a close": (close(), {1000}),
    "a close without a code": (close(None), {1000, 1005}),
    "a close with a reason": (close(4999, b"bye"), {1000, 4999}),
    "two closes": (close() + close(), {1000}),
    "a close and more": (close() + PING_MESSAGE * 500 + b"\xff" * 5000, {1000}),
}


@pytest.mark.parametrize("who", ["a stranger", "a user"])
async def test_a_broken_frame_ends_the_socket_and_nothing_else(
    server: Server, ada: Person, who: str
) -> None:
    token = ada.account.access if who == "a user" else None
    for name, (data, codes) in BROKEN.items():
        async with opened(server.base, token) as wire:
            await wire.send(data)
            heard = await wire.end()
        assert heard.close in codes | CUT, name
        assert heard.of("closing") == [], name


TOLERATED: dict[str, bytes] = {
    "pieces": frame(TEXT, '{"type": "ping",', fin=False) + frame(CONT, ' "client_time": 1}'),
    "a letter in two pieces": frame(
        TEXT, b'{"type": "ping", "client_time": 1, "x": "\xc3', fin=False
    )
    + frame(CONT, b'\xa9"}'),
    "a ping between two pieces": frame(TEXT, '{"type": "ping",', fin=False)
    + frame(PING, b"between")
    + frame(CONT, ' "client_time": 1}'),
    "empty pieces": frame(TEXT, b"", fin=False)
    + frame(CONT, b"", fin=False) * 50
    + frame(CONT, b'{"type": "ping", "client_time": 1}'),
    "a pong that nobody asked for": frame(PONG, b"x") + PING_MESSAGE,
    "pings": frame(PING, b"x" * 125) * 50 + PING_MESSAGE,
}


async def test_an_odd_frame_that_is_allowed_is_understood(server: Server, ada: Person) -> None:
    async with opened(server.base, ada.account.access) as wire:
        for name, data in TOLERATED.items():
            await wire.send(data)
            assert (await wire.next())["type"] == "pong", name
        for byte in PING_MESSAGE:  # and one that comes byte by byte
            await wire.send(bytes([byte]))
        assert (await wire.next())["type"] == "pong"


# -- floods --------------------------------------------------------------------------------------

FLOODS: dict[str, bytes] = {
    "messages": PING_MESSAGE,
    "large messages": frame(TEXT, b'"' + b"x" * 16_000 + b'"'),
    "messages of 60 KB": frame(TEXT, b"x" * 60_000),
    "nonsense": frame(TEXT, "nonsense"),
    "binary messages": frame(BINARY, b"\0"),
    "empty messages": frame(TEXT),
    "pings": frame(PING),
    "full pings": frame(PING, b"x" * 125),
    "pongs": frame(PONG),
    "authentications": say(type="authenticate", token="nonsense"),
}
ENDLESS = frame(TEXT, b"", fin=False), frame(CONT, b"", fin=False)
FRAMES = 50_000


async def flood(wire: Any, first: bytes, data: bytes) -> Heard:
    """As fast as it is taken, until the end; what comes is read beside it."""
    reading = asyncio.create_task(wire.end())
    await wire.send(first)
    batch = data * (1 + 60_000 // len(data))
    sent = 0
    while sent < FRAMES * len(data) and not reading.done():
        await wire.send(batch)
        sent += len(batch)
    heard: Heard = await reading
    return heard


@pytest.mark.parametrize("data", FLOODS.values(), ids=list(FLOODS))
@pytest.mark.parametrize("who", ["a stranger", "a user"])
async def test_a_flood_ends_with_a_code_and_is_not_read(
    server: Server, ada: Person, data: bytes, who: str
) -> None:
    token = ada.account.access if who == "a user" else None
    async with opened(server.base, token) as wire:
        heard = await flood(wire, b"", data)
    closings = {closing["code"] for closing in heard.of("closing")}
    assert closings <= {4400, 4401, 4413, 4429}, heard.messages[-5:]
    assert heard.close in closings | CUT | {1009}
    assert len(heard.pongs) <= 200
    assert len(heard.messages) <= 50


@pytest.mark.parametrize("who", ["a stranger", "a user"])
async def test_a_message_that_never_ends_is_ended(server: Server, ada: Person, who: str) -> None:
    first, more = ENDLESS
    async with opened(server.base, ada.account.access if who == "a user" else None) as wire:
        heard = await flood(wire, first, more)
    assert [closing["code"] for closing in heard.of("closing")] == [4429]
    assert heard.close in {4429} | CUT


async def test_a_client_that_floods_with_pings_and_does_not_read_is_cut(
    server: Server, ada: Person
) -> None:
    """What is owed to a client that does not read stays small, and does not stay."""
    async with opened(server.base, ada.account.access) as wire:
        for _ in range(50):
            await wire.send(frame(PING, b"x" * 125) * 100)
        heard = await wire.end()
    assert len(heard.pongs) <= 200
