"""Spools request bodies before Django sees them: discards those over the limit, queues large ones.

The rest of a body over its limit is read and discarded, within a bound: a client that is still
sending would see a reset instead of the answer. Django then gets the request without a body, and
refuses it by its length (`body_limit.py`), with all the headers that an answer has. A body
that comes in chunks without a length is kept until its end, and then has a length, as DRF wants.

Only a logged-in user may send a large body: without a valid token it is discarded too, and Django
answers 401. While it arrives it takes a slot of its user and of the process, and is written to
disk. The threads that parse large bodies (`django_handler.py`) get the file.
"""

from __future__ import annotations

import asyncio
import io
import logging
import re
import tempfile
import time
from typing import IO, Any

from django.conf import settings

from runtime.fair_semaphore import AsyncFairSemaphore, Overloaded
from server.asgi.client_identity import user_of
from server.asgi.early_errors import refuse, refuse_for_now
from server.asgi.types import App, Receive, Send

log = logging.getLogger(__name__)

MOST_DISCARDED = 32 * 1024 * 1024  # bytes; a client that sends more sees a reset
LARGE_AT_A_TIME = 16  # in a process; each takes up to 8 MiB of the disk
LARGE_OF_A_USER = 2
LARGE_QUEUE = 200  # unread, so that they cost nothing but a connection
LARGE_WITHIN_S = 60.0  # from the moment it is read: a slower client holds up others
SILENT_S = 10.0  # the longest pause within it
LONGEST_WAIT_S = 7.0  # in a queue; of the 10 s that a request takes at most
RETRY_AFTER_S = 10
KEPT = "space.body"  # in the scope: the file with the body, where it is already complete
_MAY_CARRY_AN_IMAGE = re.compile(r"/sessions/([0-9]+/)?")


class BodySpooling:
    """An ASGI application that passes on every request, but no body over its limit."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._arriving = AsyncFairSemaphore(
            LARGE_AT_A_TIME,
            share=lambda _user: LARGE_OF_A_USER,
            queue=LARGE_QUEUE,
            queue_share=lambda _user: LARGE_QUEUE // 2,
        )

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        length = _length(scope)
        if length is not None and length > limit_of(scope["path"]):
            await self._without_body(scope, receive, send, announced=length)
        elif not is_large(scope):
            await self._small(scope, receive, send)
        elif (user_id := user_of(scope)) is None:
            await self._without_body(scope, receive, send, announced=0)  # 401
        else:
            await self._large(scope, receive, send, user_id)

    async def _without_body(
        self, scope: Any, receive: Receive, send: Send, *, announced: int
    ) -> None:
        """Discards the body, then passes the request on with the length that it announced."""
        if _waits_to_be_asked(scope):
            send = _closing(send)  # the body may come or not
        else:
            await _discard(_InTime(receive))
        await self.app(_with_body(scope, io.BytesIO(), length=announced), receive, send)

    async def _small(self, scope: Any, receive: Receive, send: Send) -> None:
        if _length(scope) is None and _is_chunked(scope):
            with _kept() as body:
                length = await _keep(body, receive, settings.BODY_LIMIT)
                if length is not None:
                    await self.app(_with_body(scope, body, length=length), receive, send)
        else:
            await self.app(scope, receive, send)

    async def _large(self, scope: Any, receive: Receive, send: Send, user_id: int) -> None:
        try:
            async with self._arriving.slot(user_id, within_s=LONGEST_WAIT_S):
                await self._keep_and_answer(scope, receive, send)
        except Overloaded as overload:  # no place, or no room on the disk
            await _discard(_InTime(receive))
            await refuse_for_now(scope, send, overload, retry_after_s=RETRY_AFTER_S)

    async def _keep_and_answer(self, scope: Any, receive: Receive, send: Send) -> None:
        in_time = _InTime(receive)
        with _kept() as body:
            try:
                length = await _keep(body, in_time, limit_of(scope["path"]))
            except OSError as error:
                log.error("a body cannot be kept: %s", error)
                raise Overloaded(own=False) from None
            if length is not None:
                await self.app(_with_body(scope, body, length=length), receive, send)
            elif in_time.too_late:
                sentence = "The body took too long to arrive."
                await refuse(scope, send, 408, "too_slow", sentence, close=True)


class _InTime:
    """`receive`, but a body that takes too long counts as a closed connection."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._deadline = time.monotonic() + LARGE_WITHIN_S
        self.too_late = False

    async def __call__(self) -> Any:
        try:
            async with asyncio.timeout(min(self._deadline - time.monotonic(), SILENT_S)):
                return await self._receive()
        except TimeoutError:
            self.too_late = True
            return {"type": "http.disconnect"}


def limit_of(path: str) -> int:
    """The most bytes that the body of a request to `path` may have."""
    image = _MAY_CARRY_AN_IMAGE.fullmatch(path)
    return int(settings.BODY_LIMIT_WITH_IMAGE if image else settings.BODY_LIMIT)


def is_large(scope: Any) -> bool:
    """Whether the body is allowed to be large, and is or may be."""
    if limit_of(scope["path"]) <= settings.BODY_LIMIT:
        return False
    length = _length(scope)
    return _is_chunked(scope) if length is None else length > settings.BODY_LIMIT


def _length(scope: Any) -> int | None:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) < 20 else None


def _is_chunked(scope: Any) -> bool:
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


def _waits_to_be_asked(scope: Any) -> bool:
    """Whether the client sends its body only after a 100, which the first `receive` would send."""
    return any(
        name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"]
    )


def _closing(send: Send) -> Send:
    async def send_and_close(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await send(message)

    return send_and_close


def _kept() -> IO[bytes]:
    """A file for a body: in memory, and on disk once it is large."""
    return tempfile.SpooledTemporaryFile(max_size=settings.BODY_LIMIT)


async def _keep(body: IO[bytes], receive: Receive, limit: int) -> int | None:
    """The body's length; over the limit a little more than `limit`. None: the connection closed."""
    length = 0
    while length <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        length += len(part)
        body.write(part)
        if not message.get("more_body"):
            return length
    await _discard(receive)
    return length


async def _discard(receive: Receive) -> None:
    discarded = 0
    while discarded <= MOST_DISCARDED:
        message = await receive()
        discarded += len(message.get("body", b""))
        if not message.get("more_body"):  # the body's end, or the connection's
            return


def _with_body(scope: Any, body: IO[bytes], *, length: int) -> Any:
    """The request with this body, and with this length in its headers."""
    ours = {b"content-length", b"transfer-encoding"}
    others = [(name, value) for name, value in scope["headers"] if name not in ours]
    body.seek(0)
    headers = [*others, (b"content-length", str(length).encode())]
    return {**scope, "headers": headers, KEPT: body}
