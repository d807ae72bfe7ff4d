"""HTTP/1.1 over one connection that stays: as little work as a client can do, so that it measures
the server."""

from __future__ import annotations

import asyncio
import re
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One request at a time. Answers must say their length."""

    def __init__(self) -> None:
        self._heard = bytearray()
        self._answer: asyncio.Future[int] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head = self._heard.find(b"\r\n\r\n")
        if head < 0:
            return
        found = _LENGTH.search(self._heard, 0, head)
        length = int(found[1]) if found else 0
        if len(self._heard) < head + 4 + length or self._answer is None:
            return
        status = int(self._heard[9:12])
        self._heard.clear()
        answer, self._answer = self._answer, None
        answer.set_result(status)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None:
            self._answer.set_exception(error or ConnectionResetError("closed by the server"))
            self._answer = None

    async def ask(self, request: bytes) -> int:
        """Sends the bytes of a request, and returns the status of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


def request(method: str, path: str, port: int, token: str) -> bytes:
    """The bytes of a request without a body."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {token}",
        "Accept: application/json",
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
