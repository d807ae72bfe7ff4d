"""Checks the origin of a browser in the handshake, and reads a token that is sent with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

Scope = Any  # of ASGI; a dict
App = Callable[[Any, Any, Any], Awaitable[None]]


class AllowedOrigins:
    """Refuses the handshake of browsers on pages that are not allowed.

    The origin must be listed exactly, with scheme and port (Channels' own validators check neither,
    or refuse a missing one). A native client sends no Origin, and is allowed.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if not is_allowed(header(scope, b"origin"), scope):
            await forbidden(scope, send)
            return
        await self.app(scope, receive, send)


def is_allowed(origin: str | None, scope: Scope) -> bool:
    if origin is None:
        return True
    if origin in settings.WEBSOCKET_ORIGINS or origin == origin_of(settings.PUBLIC_URL):
        return True
    # In development the page may be opened by any name of the machine.
    scheme = "https" if scope.get("scheme") == "wss" else "http"  # Daphne names none
    own = f"{scheme}://{header(scope, b'host')}"
    return settings.DEVELOPMENT and origin == own


def origin_of(url: str) -> str | None:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None


def header(scope: Scope, name: bytes) -> str | None:
    """The header's value; None if it is missing, and "" if it is sent twice."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else ("" if values else None)


def bearer_token(scope: Scope) -> str | None:
    """The token of a native client that sends `Authorization: Bearer` in the handshake."""
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def forbidden(scope: Scope, send: Any) -> None:
    """Ends the handshake with 403, which ASGI servers answer to a close before the accept."""
    await send({"type": "websocket.close"})
