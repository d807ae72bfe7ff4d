"""Serves `/metrics` on the server's own port to requests with `METRICS_TOKEN`.

Other requests, and all of them without that variable, get Django's answer for an unknown path. So
no client can find out whether there is a token to guess.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

from django.conf import settings
from prometheus_client.exposition import choose_encoder

from ops.metrics.registry import REGISTRY
from server.asgi.types import App, Receive, Send


class Metrics:
    """An ASGI application that answers Prometheus and passes on the rest."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["path"] != "/metrics" or scope["method"] != "GET" or not _may(scope["headers"]):
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        encode, content_type = choose_encoder(given)
        # In a thread, so that the loop sends its ticks meanwhile.
        body = await asyncio.to_thread(encode, REGISTRY)
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _may(headers: list[tuple[bytes, bytes]]) -> bool:
    token: str = settings.METRICS_TOKEN
    given = dict(headers).get(b"authorization", b"")
    return bool(token) and hmac.compare_digest(given, b"Bearer " + token.encode())
