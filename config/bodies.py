"""Request bodies that are too large, thrown away before Django would keep them.

The rest of the body is read and discarded, within a bound: a client that is still sending would see
a reset instead of the answer. Django then gets the request without a body, and refuses it by its
length (`middleware.BodyLimit`), with all the headers that an answer has. A body that comes in
chunks without a length is kept until its end, and then has one, as DRF wants.

Large bodies that are allowed are taken few at a time, since each is kept several times over until
its picture is written. The others wait unread, which holds their senders back.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

MOST_DISCARDED = 32 * 1024 * 1024  # bytes; whoever sends more sees a reset
LARGE_AT_A_TIME = 3  # in a process
LARGE_WITHIN_S = 60.0  # whoever sends more slowly keeps others from sending
_MAY_CARRY_AN_IMAGE = re.compile(r"/sessions/(\d+/)?$")


class DiscardTooLarge:
    """An ASGI application that passes on every request, but no body over its limit."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._large = asyncio.Semaphore(LARGE_AT_A_TIME)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if _may_be_large(scope):
            async with self._large:
                await self._answer(scope, _in_time(receive), send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        limit = limit_of(scope["path"])
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            await _discard(receive)
            scope, receive = _with_body(scope, receive, b"", length=int(length))
        elif b"transfer-encoding" in headers and not length:
            body = await _read(receive, limit)
            if body is None:
                return  # the client is gone
            scope, receive = _with_body(scope, receive, body, length=len(body))
        await self.app(scope, receive, send)


def _may_be_large(scope: Any) -> bool:
    """Whether the body is allowed to be, and may be, larger than most are."""
    if limit_of(scope["path"]) <= settings.BODY_LIMIT:
        return False
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if length.isdigit():
        return int(length) > settings.BODY_LIMIT
    return b"transfer-encoding" in headers


def _in_time(receive: Receive) -> Receive:
    """The same, but a body that takes too long counts as broken off."""
    deadline = time.monotonic() + LARGE_WITHIN_S
    complete = False

    async def receive_in_time() -> Any:
        nonlocal complete
        if complete:  # from now on it only tells that the client has gone
            return await receive()
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        complete = not message.get("more_body")
        return message

    return receive_in_time


def limit_of(path: str) -> int:
    """The most bytes that the body of a request to `path` may have."""
    image = _MAY_CARRY_AN_IMAGE.search(path)
    return int(settings.BODY_LIMIT_WITH_IMAGE if image else settings.BODY_LIMIT)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or little more than `limit` of it, the rest discarded. None: broken off."""
    body = bytearray()
    while len(body) <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
    await _discard(receive)
    return bytes(body)


async def _discard(receive: Receive) -> None:
    thrown_away = 0
    while thrown_away <= MOST_DISCARDED:
        message = await receive()
        thrown_away += len(message.get("body", b""))
        if not message.get("more_body"):  # its end, or the client has gone
            return


def _with_body(scope: Any, receive: Receive, body: bytes, *, length: int) -> tuple[Any, Receive]:
    """The request as if it had this body, and said that it has this length."""
    ours = {b"content-length", b"transfer-encoding"}
    others = [(name, value) for name, value in scope["headers"] if name not in ours]
    headers = [*others, (b"content-length", str(length).encode())]
    whole = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_whole() -> Any:
        return whole.pop() if whole else await receive()

    return {**scope, "headers": headers}, receive_whole
