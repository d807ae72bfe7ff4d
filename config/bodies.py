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

import msgspec
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
                await self._answer_in_time(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer_in_time(self, scope: Any, receive: Receive, send: Send) -> None:
        """The same; who was too slow is told so, since to the application they seem to be gone."""
        body = _InTime(receive)
        started = False

        async def noting(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        await self._answer(scope, body, noting)
        if body.too_late and not started:
            await _say_too_slow(send)

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


class _InTime:
    """`receive`, but a body that takes too long counts as broken off."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._deadline = time.monotonic() + LARGE_WITHIN_S
        self._complete = False
        self.too_late = False

    async def __call__(self) -> Any:
        if self._complete:  # from now on it only tells that the client has gone
            return await self._receive()
        try:
            async with asyncio.timeout(self._deadline - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            self.too_late = True
            return {"type": "http.disconnect"}
        self._complete = not message.get("more_body")
        return message


async def _say_too_slow(send: Send) -> None:
    sentence = "The body took too long to arrive."
    body = {"error": sentence, "code": "too_slow", "detail": sentence}
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 408, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})


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
