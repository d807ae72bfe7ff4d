"""REST requests over connections that stay open: as many as the server answers, or a number."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

CONNECTIONS = 16


@dataclass
class Asked:
    waits_ms: list[float] = field(default_factory=list)
    errors: int = 0


class Connection:
    """One connection, for a thread."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, method: str, path: str, token: str, body: Any = None) -> int:
        """The status of the answer."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._http.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self._http.getresponse()
        answer.read()
        return answer.status


def reads(port: int, tokens: Sequence[str], seconds: float, per_s: float | None = None) -> Asked:
    """GET /sessions/ of one user after the other: the limit of requests is per user.

    `per_s`: so many in a second, rather than as many as are answered.
    """

    def requests(n: int) -> Iterator[list[bytes]]:
        for token in itertools.cycle(tokens[n::CONNECTIONS]):
            yield [_request("GET", "/sessions/", token)]

    return asyncio.run(_all(port, requests, seconds, CONNECTIONS / per_s if per_s else 0.0))


def commands(port: int, tokens: Sequence[str], first_session: int, seconds: float) -> Asked:
    """Each user pauses, then resumes."""

    def requests(n: int) -> Iterator[list[bytes]]:
        for user in itertools.cycle(range(n, len(tokens), CONNECTIONS)):
            path = f"/sessions/{first_session + user}"
            yield [
                _request("POST", f"{path}/{action}/", tokens[user])
                for action in ("pause", "resume")
            ]

    return asyncio.run(_all(port, requests, seconds, 0.0))


def _request(method: str, path: str, token: str) -> bytes:
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}{length}\r\n".encode()


async def _all(port: int, requests: Any, seconds: float, every_s: float) -> Asked:
    """`requests(n)` yields what connection `n` asks, each list as a whole, one each `every_s`."""
    asked = Asked()
    began = time.monotonic()

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = began + every_s * number / CONNECTIONS
        for together in requests(number):
            if every_s:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += every_s
            if time.monotonic() >= began + seconds:
                break
            for request in together:
                await _ask(reader, writer, request, asked)
        writer.close()

    await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))
    return asked


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, asked: Asked
) -> None:
    began = time.monotonic()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(_length(head))
    asked.waits_ms.append((time.monotonic() - began) * 1000)
    asked.errors += not head.startswith(b"HTTP/1.1 200")


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise ValueError("an answer without a length")
