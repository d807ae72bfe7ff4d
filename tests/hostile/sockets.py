"""A client of the socket that says anything, byte for byte: no library corrects it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from realtime.protocol.messages import Closing
from realtime.protocol.messages import Error as ErrorFrame
from tests.support.devices import PATIENCE_S

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = b"\x01\x02\x03\x04"
KEY = "AAAAAAAAAAAAAAAAAAAAAA=="


def frame(
    opcode: int,
    payload: bytes | str = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bool = True,
    says: int | None = None,
) -> bytes:
    """One frame of a client. `says`: the length that it claims, where that is another."""
    data = payload.encode() if isinstance(payload, str) else payload
    length = len(data) if says is None else says
    first, masked = (0x80 * fin) | (rsv << 4) | opcode, 0x80 * mask
    if length < 126:
        head = struct.pack("!BB", first, masked | length)
    elif length < 65_536:
        head = struct.pack("!BBH", first, masked | 126, length)
    else:
        head = struct.pack("!BBQ", first, masked | 127, length)
    if not mask:
        return head + data
    key = int.from_bytes((MASK * (len(data) // 4 + 1))[: len(data)])
    return head + MASK + (int.from_bytes(data) ^ key).to_bytes(len(data))


def say(**message: Any) -> bytes:
    return frame(TEXT, json.dumps(message))


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def handshake(
    host: str, *lines: str, path: str = "/ws/", without: str = "", first: str = ""
) -> bytes:
    """The head of a request that opens a socket. `lines` come after ours, `without` one of them."""
    ours = [
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    kept = [line for line in ours if not without or not line.startswith(without + ":")]
    head = [first or f"GET {path} HTTP/1.1", *kept, *lines, "", ""]
    return "\r\n".join(head).encode("latin-1")


@dataclass
class Heard:
    """All that came until the end of the connection."""

    head: bytes = b""  # of the answer to the handshake
    body: bytes = b""  # what came after it, where it was no 101
    messages: list[dict[str, Any]] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close: int | None = None  # the code of the close frame; 1005 for one without

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1]) if self.head else 0

    @property
    def header(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]


class Wire:
    """A TCP connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.heard = Heard()

    async def send(self, *data: bytes) -> None:
        """As much as is taken: it may be gone in the middle."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(b"".join(data))
            await self.writer.drain()

    async def open(self, host: str, *lines: str, **more: str) -> None:
        await self.send(handshake(host, *lines, **more))
        await self.answer()
        assert self.heard.status == 101, self.heard.head

    async def answer(self) -> None:
        """The head of the answer to a request."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                self.heard.head = await self.reader.readuntil(b"\r\n\r\n")

    async def next(self, *kinds: str) -> dict[str, Any]:
        """The next message, or the next of these types. Raises `EOFError` at the close."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                opcode, payload = await self._frame()
                self._keep(opcode, payload)
                if opcode == TEXT and (not kinds or self.heard.messages[-1]["type"] in kinds):
                    return self.heard.messages[-1]
                if opcode == CLOSE:
                    raise EOFError(f"closed with {self.heard.close}")

    async def end(self, patience_s: float = PATIENCE_S) -> Heard:
        """Reads until the connection ends; answers a close, as a client does."""
        async with asyncio.timeout(patience_s):
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    opcode, payload = await self._frame()
                    self._keep(opcode, payload)
                    if opcode == CLOSE:
                        await self.send(frame(CLOSE, payload))
        return self.heard

    async def body(self) -> bytes:
        """What comes after the head, of an answer that is no 101."""
        length = int(self.heard.header.get("content-length", "0"))
        async with asyncio.timeout(PATIENCE_S):
            if "content-length" in self.heard.header:
                self.heard.body = await self.reader.readexactly(length)
            else:
                with contextlib.suppress(ConnectionError):
                    self.heard.body = await self.reader.read()
        return self.heard.body

    async def _frame(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        assert not second & 0x80, "a server does not mask"
        assert first & 0x70 == 0, "nothing was negotiated"
        length = second & 127
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2))
        elif length == 127:
            length = int.from_bytes(await self.reader.readexactly(8))
        return first & 15, await self.reader.readexactly(length)

    def _keep(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self.heard.messages.append(json.loads(payload))
        elif opcode == PONG:
            self.heard.pongs.append(payload)
        elif opcode == CLOSE:
            self.heard.close = int.from_bytes(payload[:2]) if payload else 1005


@asynccontextmanager
async def connected(base: str) -> AsyncIterator[Wire]:
    """A connection that has said nothing yet."""
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def opened(base: str, token: str | None = None, **more: Any) -> AsyncIterator[Wire]:
    """A socket; with a token one that has heard its `ready`."""
    async with connected(base) as wire:
        await wire.open(base.removeprefix("http://"))
        if token is not None:
            await wire.send(say(type="authenticate", token=token, **more))
            assert (await wire.next())["type"] == "ready"
        yield wire


# -- what may be answered ------------------------------------------------------------------------

# Of `error`, on the socket; docs/protocol.md has them.
CODES = {
    *("illegal_transition", "already_due", "another_session_is_active", "stale_version"),
    *("not_found", "invalid", "idempotency_mismatch", "idempotency_in_progress", "bad_message"),
}


def is_documented(message: dict[str, Any]) -> bool:
    """Whether it is an answer that a client may cause: no fault of ours."""
    kind = message["type"]
    if kind == ErrorFrame.__struct_config__.tag:
        return message["code"] in CODES
    if kind == Closing.__struct_config__.tag:
        return message["code"] not in {4500, 4503}
    return kind in {"ready", "pong", "ack", "heartbeat"} or kind.startswith(("session.", "task."))
