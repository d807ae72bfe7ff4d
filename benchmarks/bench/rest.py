"""REST requests over connections that are kept: as many as the server answers."""

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


def reads(port: int, tokens: Sequence[str], seconds: float) -> Asked:
    """GET /sessions/ of one user after the other: the limit of requests is per user."""

    def requests(n: int) -> Iterator[bytes]:
        for token in itertools.cycle(tokens[n::CONNECTIONS]):
            yield _request("GET", "/sessions/", token)

    return asyncio.run(_all(port, requests, seconds))


def commands(port: int, tokens: Sequence[str], first_session: int, seconds: float) -> Asked:
    """Each user pauses, then resumes."""

    def requests(n: int) -> Iterator[bytes]:
        for user in itertools.cycle(range(n, len(tokens), CONNECTIONS)):
            for action in ("pause", "resume"):
                yield _request("POST", f"/sessions/{first_session + user}/{action}/", tokens[user])

    return asyncio.run(_all(port, requests, seconds))


def _request(method: str, path: str, token: str) -> bytes:
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}{length}\r\n".encode()


async def _all(port: int, requests: Any, seconds: float) -> Asked:
    asked = Asked()
    until = time.monotonic() + seconds
    await asyncio.gather(*(_one(port, requests(n), until, asked) for n in range(CONNECTIONS)))
    return asked


async def _one(port: int, requests: Iterator[bytes], until: float, asked: Asked) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        began = time.monotonic()
        if began >= until:
            break
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_length(head))
        asked.waits_ms.append((time.monotonic() - began) * 1000)
        asked.errors += not head.startswith(b"HTTP/1.1 200")
    writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise ValueError("an answer without a length")
