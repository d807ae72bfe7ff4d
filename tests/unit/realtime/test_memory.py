"""Memory is returned to the system after many sockets have closed, and not after a few."""

from __future__ import annotations

import asyncio

import pytest

from realtime.hub import memory
from realtime.hub.memory import WORTH_IT, keep_trimming
from realtime.stats import stats


async def test_memory_is_returned_once_for_each_crowd_that_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trimmed_at = []
    monkeypatch.setattr(stats, "sockets_gone", 0)
    monkeypatch.setattr(memory, "CHECK_INTERVAL_S", 0)
    monkeypatch.setattr(memory, "_trim", lambda: lambda: trimmed_at.append(stats.sockets_gone))
    keeping = asyncio.create_task(keep_trimming())
    for stats.sockets_gone in (0, 1, WORTH_IT - 1, WORTH_IT, WORTH_IT + 1, 3 * WORTH_IT):
        for _ in range(5):
            await asyncio.sleep(0)
    keeping.cancel()
    assert trimmed_at == [WORTH_IT, 3 * WORTH_IT]


def test_trimming_works_here_or_does_nothing() -> None:
    memory._trim()()
