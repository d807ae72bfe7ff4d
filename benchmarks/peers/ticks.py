"""When a session ticks, and what a tick says: the same for all peers in Python."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qs

SECOND = 1_000  # ms
# ms: sessions wake at multiples of this and so share wake-ups, as Space's do. By themselves they
# would be less late and cost up to a third more.
QUANTUM = 10
LENGTH = 25 * 60 * SECOND  # ms, of every countdown here; they begin again at the end


def phase(session: int) -> int:
    """The millisecond of each second at which this session ticks: spread over the sessions."""
    return session * 7919 % SECOND


def next_due(session: int, now_ms: float) -> int:
    """The first of the session's instants after this one, in milliseconds since 1970."""
    return int((now_ms - phase(session)) // SECOND + 1) * SECOND + phase(session)


def text(session: int, due_ms: int) -> str:
    """The frame of that instant, in the shape and size of Space's own."""
    at = datetime.fromtimestamp(due_ms / SECOND, UTC)
    remaining_ms = LENGTH - due_ms // SECOND * SECOND % LENGTH
    return (
        f'{{"type":"session.tick","session":{session},"version":2,'
        f'"remaining_ms":{remaining_ms},'
        f'"server_time":"{at:%Y-%m-%dT%H:%M:%S}.{due_ms % SECOND:03}000Z"}}'
    )


async def ticks(session: int) -> AsyncIterator[str]:
    """The frame of each second, when it has come. Seconds that were slept through are left out."""
    due = next_due(session, time.time() * SECOND)
    while True:
        await asyncio.sleep(-(-due // QUANTUM) * QUANTUM / SECOND - time.time())
        yield text(session, due)
        due = max(due + SECOND, next_due(session, time.time() * SECOND - SECOND))


def session_of(query: str) -> int:
    """The session that a device asks for with `session=S`."""
    return int(parse_qs(query)["session"][0])
