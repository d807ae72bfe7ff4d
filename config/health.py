"""`/healthz`: the process lives. `/readyz`: it can serve (both servers answer, not draining)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse

from realtime.drain import is_draining

PATIENCE_S = 2.0


async def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    database, redis = await asyncio.gather(
        _answers(database_sync_to_async(_ask_database, thread_sensitive=False)()),
        _answers(sync_to_async(_ask_redis, thread_sensitive=False)()),
    )
    parts = {"database": database, "redis": redis, "serving": not is_draining()}
    ready = all(parts.values())
    return JsonResponse(
        {"status": "ready" if ready else "not ready", **parts}, status=200 if ready else 503
    )


async def _answers(question: Awaitable[None]) -> bool:
    try:
        await asyncio.wait_for(question, PATIENCE_S)
    except Exception:
        return False
    return True


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_redis() -> None:
    cache.get("readyz")
