"""Connections that are slow on purpose, or send no valid HTTP, on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from server.uvicorn import http
from server.uvicorn.http import (
    LARGEST_HEAD,
    MOST_AFTER_ANSWER,
    MOST_HEADERS,
    MOST_IN_PIPELINE,
    Http,
)
from server.uvicorn.websocket import WebSocket
from tests.support.asgi import until

PATIENCE_S = 20.0
LARGE = 30_000_000  # bytes: more than the kernel buffers

App = Callable[[Any, Any, Any], Any]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body, once it is whole."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message["more_body"]
    await answer(send, str(length).encode())


async def at_once(scope: Any, receive: Any, send: Any) -> None:
    """Answers without reading the body."""
    await answer(send, b"no matter")


async def large(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(LARGE // 50_000):
        part = b"x" * 50_000
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


async def answer(send: Any, body: bytes) -> None:
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": body})


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def sends(self, data: bytes) -> None:
        self.writer.write(data)

    async def sees(self) -> bytes:
        """All until the connection ends."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def sees_error(self) -> tuple[int, str]:
        """The status and the code of the only answer, an error of our shape."""
        head, _, body = (await self.sees()).partition(b"\r\n\r\n")
        assert b"content-type: application/json" in head
        error = json.loads(body)
        assert error["error"] == error["detail"]
        assert f"x-request-id: {error['request_id']}".encode() in head
        return int(head.split()[1]), error["code"]

    async def drips(self, data: bytes, pause_s: float = 0.02) -> None:
        """A byte at a time, until the server closes the connection."""
        for byte in data:
            if self.writer.is_closing() or self.reader.at_eof():
                return
            self.writer.write(bytes([byte]))
            await asyncio.sleep(pause_s)  # the slowness is what is tested


@pytest.fixture(autouse=True)
def _quick_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CHECK_EVERY_S", 0.05)


@asynccontextmanager
async def served(app: App, **options: Any) -> AsyncIterator[tuple[Any, ServerState]]:
    """A way to connect to the application, and the state of its server."""
    config = uvicorn.Config(app, ws=WebSocket, http=Http, log_config=None, **options)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Http(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    clients: list[Client] = []

    async def connect() -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", port)))
        return clients[-1]

    try:
        yield connect, state
    finally:
        for client in clients:
            client.writer.transport.abort()
        server.close()
        await until(lambda: not state.connections and not state.tasks)


@pytest.fixture
async def connect() -> AsyncIterator[Any]:
    async with served(echo) as (connect, _):
        yield connect


def is_too_slow(seen: bytes) -> bool:
    """Also if nothing came: a late byte may have made the kernel reset the connection."""
    return seen == b"" or seen.startswith(b"HTTP/1.1 408")


@pytest.fixture
async def held() -> AsyncIterator[tuple[Any, asyncio.Event]]:
    """A way to connect to an application that reads and answers once the event is set."""
    go = asyncio.Event()

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await echo(scope, receive, send)

    async with served(busy) as (connect, _):
        yield connect, go


async def gets(client: Client, end: bytes, start: bytes = b"HTTP/1.1 200") -> None:
    async with asyncio.timeout(PATIENCE_S):
        assert (await client.reader.readuntil(end)).startswith(start)


GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n"
EXPECTS_100 = POST.replace(b"host: a", b"host: a\r\nexpect: 100-continue")
NO_BODY = b"\r\n\r\n0"  # of `echo`
TWELVE_CHECKS_S = 0.6


# -- slow requests -------------------------------------------------------------------------------


async def test_a_silent_connection_is_closed_without_an_answer(connect: Any) -> None:
    assert await (await connect()).sees() == b""


async def test_headers_that_come_byte_by_byte_are_ended(connect: Any) -> None:
    client = await connect()
    dripping = asyncio.create_task(client.drips(GET * 20))
    assert is_too_slow(await client.sees())
    dripping.cancel()


async def test_empty_lines_before_a_request_do_not_begin_one(connect: Any) -> None:
    client = await connect()
    dripping = asyncio.create_task(client.drips(b"\r\n" * 200))
    assert await client.sees() == b""
    dripping.cancel()


async def test_a_body_that_stops_is_ended(connect: Any) -> None:
    client = await connect()
    client.sends(POST % 100 + b"half")
    assert await client.sees_error() == (408, "too_slow")


async def test_a_body_that_comes_byte_by_byte_is_ended(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_WITHIN", 4)
    client = await connect()
    client.sends(POST % 1_000)
    dripping = asyncio.create_task(client.drips(b"x" * 1_000))
    assert is_too_slow(await client.sees())
    dripping.cancel()


async def test_a_slow_body_after_its_answer_is_ended_too() -> None:
    async with served(at_once) as (connect, _):
        client = await connect()
        client.sends(POST % 1_000)
        seen = await client.sees()
        assert seen.startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 408" in seen


async def test_a_body_after_its_answer_is_read_up_to_a_bound() -> None:
    async with served(at_once) as (connect, _):
        client = await connect()
        client.sends(POST % (100 * MOST_AFTER_ANSWER))
        for _ in range(100):
            if client.writer.is_closing():
                break
            client.sends(bytes(MOST_AFTER_ANSWER // 10))
            await asyncio.sleep(0.001)
        assert (await client.sees()).count(b"HTTP/1.1") <= 1


@pytest.mark.parametrize(
    ("request_", "end"),
    [(GET, NO_BODY), (POST % 1_000_000 + bytes(1_000_000), b"1000000")],
    ids=["waits for its answer", "sends a body that is not read yet"],
)
async def test_a_client_of_a_slow_application_is_left_alone(
    held: tuple[Any, asyncio.Event], request_: bytes, end: bytes
) -> None:
    connect, go = held
    client = await connect()
    client.sends(request_)
    await asyncio.sleep(TWELVE_CHECKS_S)
    go.set()
    await gets(client, end)


async def test_a_client_that_expects_100_is_left_alone(held: tuple[Any, asyncio.Event]) -> None:
    connect, go = held
    client = await connect()
    client.sends(EXPECTS_100 % 4)
    await asyncio.sleep(TWELVE_CHECKS_S)
    go.set()
    await gets(client, b"\r\n\r\n", b"HTTP/1.1 100")
    client.sends(b"body")
    await gets(client, b"\r\n\r\n4")


async def test_a_connection_between_two_requests_is_left_alone(connect: Any) -> None:
    client = await connect()
    for _ in range(2):
        client.sends(GET)
        await gets(client, NO_BODY)
        await asyncio.sleep(TWELVE_CHECKS_S)
    assert not client.reader.at_eof()


# -- slow readers --------------------------------------------------------------------------------


async def test_a_client_that_does_not_read_its_answer_is_cut() -> None:
    async with served(large) as (connect, state):
        client = await connect()
        client.writer.transport.pause_reading()
        client.sends(GET)
        await until(lambda: state.connections)
        await until(lambda: not state.connections and not state.tasks)


async def test_a_client_that_reads_slowly_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "UNREAD_FOR", 4)
    async with served(large) as (connect, _):
        client = await connect()
        client.sends(GET)
        read = 0
        async with asyncio.timeout(PATIENCE_S):
            while read < LARGE:
                part = await client.reader.read(1_000_000)
                assert part, f"cut after {read}"
                read += len(part)
                await asyncio.sleep(0.03)


# -- too much ------------------------------------------------------------------------------------

TOO_MUCH = {
    "a long header": b"GET / HTTP/1.1\r\nx: " + b"a" * LARGEST_HEAD + b"\r\n\r\n",
    "a long line": b"GET /" + b"a" * LARGEST_HEAD + b" HTTP/1.1\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * (MOST_HEADERS + 1) + b"\r\n",
    "a header without end": b"GET / HTTP/1.1\r\nx: " + b"a" * 1_000_000,
    "a name without end": b"GET / HTTP/1.1\r\n" + b"a" * 1_000_000,
}


@pytest.mark.parametrize("sent", TOO_MUCH.values(), ids=TOO_MUCH)
async def test_headers_over_their_limit_are_refused(connect: Any, sent: bytes) -> None:
    client = await connect()
    client.sends(sent)
    seen = await client.sees()
    assert seen == b"" or seen.split()[1] in (b"414", b"431", b"408"), seen[:100]


async def test_headers_within_their_limit_may_come_in_pieces(connect: Any) -> None:
    client = await connect()
    head = b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * (LARGEST_HEAD - 100) + b"\r\n\r\n"
    for start in range(0, len(head), 5_000):
        client.sends(head[start : start + 5_000])
        await asyncio.sleep(0.001)
    await gets(client, NO_BODY)


async def test_many_requests_before_an_answer_end_the_connection(
    held: tuple[Any, asyncio.Event],
) -> None:
    connect, go = held
    client = await connect()
    client.sends(GET * (MOST_IN_PIPELINE + 5))
    assert await client.sees() == b""
    go.set()


async def test_some_requests_before_an_answer_are_answered_in_turn(connect: Any) -> None:
    client = await connect()
    client.sends(GET * 10)
    for _ in range(10):
        await gets(client, NO_BODY)


# tests/system/test_hostile_connections.py has more of them, on either server.
INVALID = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\n\r\n",
    "two lengths": (POST % 3).replace(b"host: a", b"host: a\r\ncontent-length: 4") + b"abcd",
    "a chunk that is a word": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    b"zz\r\n",
}


@pytest.mark.parametrize("sent", INVALID.values(), ids=INVALID)
async def test_invalid_http_is_an_error_of_our_shape(connect: Any, sent: bytes) -> None:
    client = await connect()
    client.sends(sent)
    assert await client.sees_error() == (400, "invalid")


async def test_invalid_http_after_an_answer_ends_the_connection(connect: Any) -> None:
    client = await connect()
    client.sends(GET)
    await gets(client, NO_BODY)
    client.sends(b"\0\0\0\0")
    assert await client.sees_error() == (400, "invalid")


async def test_another_protocol_is_answered_in_this_one_and_the_connection_ends(
    connect: Any,
) -> None:
    client = await connect()
    client.sends(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
    seen = await client.sees()
    assert seen.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in seen
