"""Answers probes: `/healthz` while the process lives, `/readyz` while it can serve.

It can serve if the database and Redis answer, its own parts work, and it does not drain. The body
of `/readyz` shows each of these. Probes are answered before Django, so that they need no allowed
host, and a busy pool of threads is not taken for a dead process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.core.cache import cache
from django.db import connection

from realtime.health import process_health
from realtime.hub.background import Node
from realtime.hub.draining import is_draining
from realtime.stats import stats
from runtime.deadline import within
from server.asgi.types import App, Receive, Send

ANSWERS_WITHIN_S = 2.0
DEAF_TOO_LONG_S = 20.0  # by then a new connection was tried three times
LAG_TOO_LONG_S = 5.0  # at worst in the last ten seconds


class Health:
    """An ASGI application that answers probes and passes on the rest."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif scope["path"] == "/readyz":
            database, redis = await asyncio.gather(
                _answers(database_sync_to_async(_ask_database, thread_sensitive=False)()),
                _answers(sync_to_async(_ask_redis, thread_sensitive=False)()),
            )
            parts, numbers = _own_parts()
            parts = {"database": database, "redis": redis, **parts}
            ready = all(parts.values())
            status = "ready" if ready else "not ready"
            await _answer(send, 200 if ready else 503, {"status": status, **parts, **numbers})
        else:
            await self.app(scope, receive, send)


def _own_parts() -> tuple[dict[str, bool], dict[str, float]]:
    """Which parts of the process work, and its numbers. Without a watchdog all checks pass."""
    node, watched = Node.of(asyncio.get_running_loop()), process_health()
    deaf_s = node.canary.lost_for_s() if node else 0.0
    lag_s = watched.loop_lag_s() if watched else 0.0
    failing = watched.serious() if watched else set()
    parts = {
        "hears": deaf_s < DEAF_TOO_LONG_S,
        "reconciles": "not reconciling" not in failing,
        "publishes": "not publishing" not in failing,
        "loop": lag_s < LAG_TOO_LONG_S,
        "serving": not is_draining(),
    }
    numbers = {
        "deaf_s": round(deaf_s, 1),
        "loop_lag_ms": round(lag_s * 1000, 1),
        "clock_steps": stats.clock_steps,
    }
    return parts, numbers


async def _answers(question: Awaitable[None]) -> bool:
    try:
        await asyncio.wait_for(question, ANSWERS_WITHIN_S)
    except Exception:  # of any kind: that part does not answer
        return False
    return True


def _ask_database() -> None:
    # The deadline frees the thread where the database is frozen.
    with within(ANSWERS_WITHIN_S), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_redis() -> None:
    cache.get("readyz")


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})
