"""`/metrics` on the port of the server: only for who has `METRICS_TOKEN`.

For everybody else, and without that variable, there is no such path: the answer is Django's, as for
any other that it does not know. Nobody can find out whether there is something to guess at.
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
        # On a thread, so that the loop goes on with its ticks meanwhile.
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
