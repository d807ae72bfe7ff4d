"""Errors that are answered before Django has a thread for them, in the form of all errors."""

from __future__ import annotations

from typing import Any

import msgspec
from django.conf import settings

from runtime.fair_semaphore import Overloaded
from server.asgi.types import Receive, Send
from web.errors import NOT_FOUND, error_body, request_id

Headers = list[tuple[bytes, bytes]]


def encoded_error(code: str, sentence: str, request_id: str) -> tuple[Headers, bytes]:
    """The headers of an error's body, and the body."""
    body = msgspec.json.encode(error_body(code, sentence, request_id))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode()),
    ]
    return headers, body


async def refuse(
    scope: Any,
    send: Send,
    status: int,
    code: str,
    sentence: str,
    *,
    retry_after_s: int | None = None,
    close: bool = False,
) -> None:
    """Answers with an error. `close` ends the connection: the client may be sending still."""
    given = dict(scope["headers"])
    callers_id = given.get(b"x-request-id", b"").decode("latin-1")
    headers, body = encoded_error(code, sentence, request_id(callers_id))
    headers += _for_other_origins(given.get(b"origin", b""))
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse_for_now(
    scope: Any, send: Send, overload: Overloaded, *, retry_after_s: int
) -> None:
    """429 where the client's own requests take all the room, 503 where those of others do."""
    if overload.own:
        status, code, sentence = 429, "throttled", "Too many requests at once."
    else:
        status, code, sentence = 503, "unavailable", "The service has too much to do for a moment."
    await refuse(scope, send, status, code, sentence, retry_after_s=retry_after_s)


async def no_rest(scope: Any, receive: Receive, send: Send) -> None:
    """The HTTP application of a process that serves sockets only: 404 beside the probes.

    A proxy that sends REST here is configured wrongly.
    """
    await refuse(scope, send, 404, "not_found", NOT_FOUND)


def _for_other_origins(origin: bytes) -> Headers:
    """Without these a page of another origin would not see the error (as corsheaders does it)."""
    headers = [(b"vary", b"origin")]
    if origin.decode("latin-1") in settings.CORS_ALLOWED_ORIGINS:
        exposed = ", ".join(settings.CORS_EXPOSE_HEADERS).lower().encode()
        headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", exposed),
        ]
    return headers
