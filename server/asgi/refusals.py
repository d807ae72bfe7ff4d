"""Errors that are answered before Django has a thread for them, in the form of all errors."""

from __future__ import annotations

import re
import secrets
from typing import Any

import msgspec
from django.conf import settings

from runtime.lines import Full
from web.request_metrics import count_error

_CALLERS_OWN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def refusal(code: str, sentence: str, request_id: str) -> bytes:
    """The body of an error, as `errors.py` makes it."""
    count_error(code)
    body = {"error": sentence, "code": code, "detail": sentence, "request_id": request_id}
    return msgspec.json.encode(body)


async def refuse(
    scope: Any,
    send: Any,
    status: int,
    code: str,
    sentence: str,
    *,
    retry_after_s: int | None = None,
    close: bool = False,
) -> None:
    """Answers with an error. `close`: and has the connection closed, since more may be coming."""
    given = dict(scope["headers"])
    own = given.get(b"x-request-id", b"")
    request_id = own.decode() if _CALLERS_OWN_ID.fullmatch(own) else secrets.token_hex(8)
    body = refusal(code, sentence, request_id)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode()),
        *_for_other_origins(given.get(b"origin", b"")),
    ]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse_for_now(scope: Any, send: Any, full: Full, *, retry_after_s: int) -> None:
    """429 to who has asked for too much at once, 503 where others have."""
    if full.own:
        status, code, sentence = 429, "throttled", "Too many requests at once."
    else:
        status, code, sentence = 503, "unavailable", "The service has too much to do for a moment."
    await refuse(scope, send, status, code, sentence, retry_after_s=retry_after_s)


def _for_other_origins(origin: bytes) -> list[tuple[bytes, bytes]]:
    """Without these a page of another origin would not see the error (as corsheaders does it)."""
    headers = [(b"vary", b"origin")]
    if origin.decode("latin-1") in settings.CORS_ALLOWED_ORIGINS:
        exposed = ", ".join(settings.CORS_EXPOSE_HEADERS).lower().encode()
        headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", exposed),
        ]
    return headers
