"""What a process answers that serves sockets only: probes, and that nothing else is here."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from config.bodies import Receive, Send
from config.errors import NOT_FOUND


async def no_rest(scope: Any, receive: Receive, send: Send) -> None:
    """404 in the form that all errors have. A proxy that sends REST here is set wrongly."""
    request_id = secrets.token_hex(8)
    body = {
        "error": NOT_FOUND,
        "code": "not_found",
        "detail": NOT_FOUND,
        "request_id": request_id,
    }
    headers = [(b"content-type", b"application/json"), (b"x-request-id", request_id.encode())]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})
