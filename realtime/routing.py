"""Routes sockets: `/ws/` to the consumer; other paths are refused in the handshake."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from realtime.sockets.consumer import DeviceConsumer
from realtime.sockets.origins import AllowedOrigins, Scope, forbidden


async def nowhere(scope: Scope, receive: Any, send: Any) -> None:
    """Without this route an unknown path would be an exception, with a traceback in the log."""
    await forbidden(scope, send)


websocket_application = AllowedOrigins(
    URLRouter(
        [
            path("ws/", DeviceConsumer.as_asgi()),  # type: ignore[arg-type,list-item]
            re_path(r"", nowhere),  # type: ignore[arg-type,list-item]
        ]
    )
)
