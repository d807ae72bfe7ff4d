"""Calls an ASGI application for HTTP in the process of the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Receive = Callable[[], Awaitable[Any]]
PATIENCE_S = 10.0


class Answer(list[Any]):
    """The messages that the application sent."""

    @property
    def status(self) -> int:
        return int(self[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(part.get("body", b"") for part in self[1:])

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])


async def ask(
    app: Any,
    path: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    headers: Iterable[tuple[bytes, bytes]] = (),
    address: str = "10.0.0.1",
    receive: Receive | None = None,
    reads: asyncio.Event | None = None,
) -> Answer:
    """`receive` is the body where `body` is not; `reads` is when the client begins to read it."""
    sent = Answer()

    async def receive_all() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if reads is not None and message["type"] == "http.response.body":
            await reads.wait()
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"testserver"), *headers],
        "client": (address, 1),
    }
    if receive is None:
        scope["headers"].append((b"content-length", str(len(body)).encode()))  # type: ignore[attr-defined]
    async with asyncio.timeout(PATIENCE_S):
        await app(scope, receive or receive_all, send)
    return sent


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.002)
