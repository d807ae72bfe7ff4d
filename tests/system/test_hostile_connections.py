"""Raw bytes on either server: what is no HTTP, what is slow, and what is too large."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.devices import Person, person
from tests.support.servers import Server

PATIENCE_S = 40.0


@pytest.fixture(params=["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Server]:
    found: Server = request.getfixturevalue({"uvicorn": "one"}.get(request.param, request.param))
    before = len(found.log)
    yield found
    new = found.log[before:]
    assert "Traceback" not in new, new


@pytest.fixture
def uvicorn(one: Server, transactional_db: None) -> Server:
    return one


class Connection:
    """A connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def sends(self, data: bytes) -> None:
        self.writer.write(data)

    def ends(self) -> None:
        with suppress(OSError):  # the server was quicker
            self.writer.write_eof()

    async def sees(self) -> bytes:
        """All until the end; b"" if there is a reset before anything."""
        seen = b""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):
                while part := await self.reader.read(65_536):
                    seen += part
        return seen

    async def answered(self) -> tuple[int, Any]:
        """The next answer's status, and its body as JSON."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            if b" 100 " in head:
                head = await self.reader.readuntil(b"\r\n\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            if b"content-length" in headers:
                body = await self.reader.readexactly(int(headers[b"content-length"]))
            else:
                body = b""
                while size := int(await self.reader.readline(), 16):
                    body += await self.reader.readexactly(size)
                    await self.reader.readline()
                await self.reader.readline()
        return int(head.split()[1]), json.loads(body)


_open: list[Connection] = []


@pytest.fixture(autouse=True)
async def _all_end() -> AsyncIterator[None]:
    yield
    for wire in _open:
        wire.writer.transport.abort()
    _open.clear()
    await asyncio.sleep(0)  # the loop hears of it


async def connect(server: Server) -> Connection:
    parts = urlsplit(server.base)
    _open.append(Connection(*await asyncio.open_connection(parts.hostname, parts.port)))
    return _open[-1]


def head(line: str, *headers: str, by: Person | None = None) -> bytes:
    named = ["Host: 127.0.0.1", "Content-Type: application/json", *headers]
    if by is not None:
        named.append(f"Authorization: Bearer {by.account.access}")
    return "\r\n".join([f"{line} HTTP/1.1", *named, "", ""]).encode()


GOOD = b'{"title": "Write", "duration": 5}'
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture
async def ada(server: Server) -> Person:
    return await person(server.base, "ada")


# -- what is no HTTP, or two requests to some and one to others -----------------------------------

AMBIGUOUS = {
    "length and chunks": ["Content-Length: 5", CHUNKED],
    "chunks and length": [CHUNKED, "Content-Length: 5"],
    "two lengths": ["Content-Length: 5", "Content-Length: 6"],
    "two lengths in one": ["Content-Length: 5, 6"],
    "a signed length": ["Content-Length: +5"],
    "a negative length": ["Content-Length: -5"],
    "a hexadecimal length": ["Content-Length: 0x5"],
    "a length with an underscore": ["Content-Length: 1_0"],
    "a huge length": ["Content-Length: " + "9" * 30],
    "no length at all": ["Content-Length:"],
    "chunks that are not last": ["Transfer-Encoding: chunked, identity"],
    "an unknown encoding": ["Transfer-Encoding: xchunked"],
    "a space before the colon": ["Transfer-Encoding : chunked"],
    "a tab before chunks": ["Transfer-Encoding:\tchunked", "Content-Length: 5"],
    "a folded header": ["X: a\r\n b", "Content-Length: 5", CHUNKED],
    "a bare carriage return": ["X: a\rContent-Length: 5", CHUNKED],
    "NUL in a value": ["X: a\0b"],
    "a name with a space": ["Content Length: 5"],
}


async def test_a_request_whose_end_is_doubtful_is_refused_and_the_connection_ends(
    server: Server, ada: Person
) -> None:
    """The bytes behind it must not be taken for another request."""
    for what, headers in AMBIGUOUS.items():
        wire = await connect(server)
        wire.sends(head("POST /sessions/", *headers, by=ada) + b"0\r\n\r\n")
        wire.sends(head("GET /sessions/", by=ada))
        wire.ends()
        seen = await wire.sees()
        status = int(seen.split()[1]) if seen else 400
        assert 400 <= status < 500, (what, seen)
        assert seen.count(b"HTTP/1.1 ") <= 1, (what, seen)
        assert b" 200 OK" not in seen, what


async def test_bytes_that_are_no_http_are_answered_in_the_form_of_all_errors(
    uvicorn: Server,
) -> None:
    wire = await connect(uvicorn)
    wire.sends(b"\x16\x03\x01 hello\r\n\r\n")
    status, error = await wire.answered()
    assert (status, error["code"]) == (400, "invalid")
    assert error["request_id"]


ODD_LINES = [
    *("OPTIONS *", "GET http://127.0.0.1/sessions/", "GET //sessions/", "CONNECT 127.0.0.1:80"),
    *("BREW /sessions/", "get /sessions/", "TRACE /sessions/", "GET /sessions/#fragment"),
    *("GET /sessions/%00/", "GET /sessions/?limit=%00", "GET /sessions/%ff%fe/"),
    "GET /../../etc/passwd",
]


async def test_an_odd_request_line_is_answered_and_never_an_accident(server: Server) -> None:
    for line in ODD_LINES:
        wire = await connect(server)
        wire.sends(head(line, "Connection: close"))
        wire.ends()
        seen = await wire.sees()
        assert seen == b"" or 200 <= int(seen.split()[1]) < 500, (line, seen)
        assert b"<html" not in seen.lower() or b" 200 " in seen or b"HTTP/1.1 400" in seen, line


# -- too large -----------------------------------------------------------------------------------


async def test_a_client_that_announces_too_much_is_refused_at_once(uvicorn: Server) -> None:
    ada = await person(uvicorn.base, "ada")
    wire = await connect(uvicorn)
    wire.sends(head("POST /sessions/", "Content-Length: 20000000", "Expect: 100-continue", by=ada))
    status, error = await wire.answered()
    assert (status, error["code"]) == (413, "too_large")
    assert await wire.sees() == b"", "and the connection ends: nobody knows what follows"


async def test_a_client_that_expects_100_continue_may_send(server: Server, ada: Person) -> None:
    wire = await connect(server)
    wire.sends(
        head("POST /sessions/", f"Content-Length: {len(GOOD)}", "Expect: 100-continue", by=ada)
    )
    async with asyncio.timeout(PATIENCE_S):
        assert (await wire.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    wire.sends(GOOD)
    status, session = await wire.answered()
    assert (status, session["title"]) == (201, "Write")


async def test_chunks_without_end_are_answered_once_there_are_too_many(
    uvicorn: Server,
) -> None:
    ada = await person(uvicorn.base, "ada")
    wire = await connect(uvicorn)
    wire.sends(head("POST /users/login/", CHUNKED, by=ada))
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    answer = asyncio.create_task(wire.answered())
    for _ in range(40 * 1024 * 1024 // 0x10000):
        if answer.done() or wire.writer.is_closing():
            break
        wire.sends(chunk)
        with suppress(ConnectionError):
            await wire.writer.drain()
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        status, error = await answer
        assert (status, error["code"]) == (413, "too_large")


async def test_a_large_body_without_a_login_is_read_and_answered_401(server: Server) -> None:
    wire = await connect(server)
    wire.sends(head("POST /sessions/", "Content-Length: 5000000") + bytes(5_000_000))
    status, error = await wire.answered()
    assert (status, error["code"]) == (401, "not_authenticated")


# -- slow ----------------------------------------------------------------------------------------


async def test_stalled_uploads_of_others_keep_nobody_from_sending_a_picture(
    uvicorn: Server,
) -> None:
    """Twenty strangers and somebody with a token, who all stop in the middle."""
    ada, eve = await person(uvicorn.base, "ada"), await person(uvicorn.base, "eve")
    stalled = []
    for number in range(30):
        stalled.append(await connect(uvicorn))
        by = eve if number >= 20 else None
        begun = head("POST /sessions/", "Content-Length: 5000000", by=by)
        stalled[-1].sends(begun + bytes(1_000))
    wire = await connect(uvicorn)
    body = GOOD + b" " * 1_000_000
    async with asyncio.timeout(8):  # they are given up after ten seconds
        wire.sends(head("POST /sessions/", f"Content-Length: {len(body)}", by=ada) + body)
        status, _ = await wire.answered()
    assert status == 201


async def test_a_stalled_request_is_ended_and_an_idle_connection_is_not(uvicorn: Server) -> None:
    ada = await person(uvicorn.base, "ada")
    silent, headers, body, upload, patient = [await connect(uvicorn) for _ in range(5)]
    headers.sends(b"GET /sessions/ HT")
    body.sends(head("POST /sessions/", "Content-Length: 100", by=ada) + b"half")
    upload.sends(head("POST /sessions/", "Content-Length: 5000000", by=ada) + b"half")
    patient.sends(head("GET /sessions/", by=ada))
    assert (await patient.answered())[0] == 200
    assert await silent.sees() == b""
    assert (await headers.answered())[1]["code"] == "too_slow"
    assert (await body.answered())[0] == 408
    assert (await upload.answered())[1]["code"] == "too_slow"
    patient.sends(head("GET /sessions/", by=ada))
    assert (await patient.answered())[0] == 200, "the time between two requests is not counted"
