"""`/healthz`: the process lives. `/readyz`: it can serve: both servers answer, its own organs work,
and it is not going down. The body of `/readyz` tells apart what is wrong.

Answered before Django, so that a probe needs no allowed host, and a busy pool of threads is not
taken for a dead process.
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

from realtime.health import vitals
from realtime.hub.draining import is_draining
from realtime.hub.hub import Hub
from realtime.stats import stats
from runtime.deadline import within
from server.asgi.types import App, Receive, Send

PATIENCE_S = 2.0
DEAF_TOO_LONG_S = 20.0  # by then a new connection was tried three times
LAG_TOO_LONG_S = 5.0  # at worst in the last ten seconds: it came round again, for now


class Health:
    """An ASGI application that answers probes and passes on the rest."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif scope["path"] == "/readyz":
            parts = await _parts()
            ready = all(parts.values())
            status = "ready" if ready else "not ready"
            body = {"status": status, **parts, **_numbers()}
            await _answer(send, 200 if ready else 503, body)
        else:
            await self.app(scope, receive, send)


async def _parts() -> dict[str, bool]:
    database, redis = await asyncio.gather(
        _answers(database_sync_to_async(_ask_database, thread_sensitive=False)()),
        _answers(sync_to_async(_ask_redis, thread_sensitive=False)()),
    )
    return {
        "database": database,
        "redis": redis,
        "hears": _deaf_s() < DEAF_TOO_LONG_S,
        **_organs(),
        "serving": not is_draining(),
    }


def _organs() -> dict[str, bool]:
    """What its watchdog sees. Where nobody looks, nothing is known against it."""
    watched = vitals()
    ill = watched.serious() if watched else set()
    lag_s = watched.loop_lag_s() if watched else 0.0
    return {
        "reconciles": "not reconciling" not in ill,
        "publishes": "not publishing" not in ill,
        "loop": lag_s < LAG_TOO_LONG_S,
    }


def _numbers() -> dict[str, float]:
    watched = vitals()
    return {
        "deaf_s": round(_deaf_s(), 1),
        "loop_lag_ms": round(watched.loop_lag_s() * 1000, 1) if watched else 0.0,
        "clock_steps": stats.clock_steps,
    }


def _deaf_s() -> float:
    """For how long this process has not heard its own canary; 0 if it hears, or need not yet."""
    hub = Hub.if_any()
    return hub.canary.deaf_s() if hub else 0.0


async def _answers(question: Awaitable[None]) -> bool:
    try:
        await asyncio.wait_for(question, PATIENCE_S)
    except Exception:  # whatever it is, that part does not answer
        return False
    return True


def _ask_database() -> None:
    with within(PATIENCE_S), connection.cursor() as cursor:  # or a frozen one keeps the thread
        cursor.execute("SELECT 1")


def _ask_redis() -> None:
    cache.get("readyz")


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})
