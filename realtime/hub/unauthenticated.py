"""Sockets that have not said who they are: how many a process puts up with.

Each may take five seconds. Where very many come at once, they cannot: above the limit whoever has
said nothing for a second makes room, the one that has been silent longest first. Honest clients
authenticate as soon as they are connected, so it is not them, and a crowd of them may be far above
the limit for a moment. Above `HARD` times the limit the oldest goes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from django.conf import settings

from realtime.stats import stats

SILENT_S = 1.0  # then it makes room for others
LOOK_EVERY_S = 0.25
HARD = 3  # times the limit


class Stranger(Protocol):
    def too_silent(self) -> None:
        """It has not said who it is. Also takes it out of here."""


class Strangers:
    """Those of one event loop, the longest here first."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since: dict[Stranger, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looked_at = float("-inf")  # the last time, of looks in a row

    def __len__(self) -> int:
        return len(self._since)

    def add(self, stranger: Stranger) -> None:
        self._since[stranger] = self._now()
        if len(self) > HARD * settings.SOCKETS_UNAUTHENTICATED:
            self._show_out(next(iter(self._since)))
        if len(self) > settings.SOCKETS_UNAUTHENTICATED and self._timer is None:
            self._look_later()

    def discard(self, stranger: Stranger) -> None:
        """It has said who it is, or is gone."""
        self._since.pop(stranger, None)

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._now()
        # Who was not here at the last look may have spoken, and we have not read it yet. Between
        # two looks the loop has read whatever there was.
        before = min(now - SILENT_S, self._looked_at)
        while len(self) > settings.SOCKETS_UNAUTHENTICATED:
            oldest, since = next(iter(self._since.items()))
            if since > before:
                break
            self._show_out(oldest)
        self._looked_at = float("-inf")
        if len(self) > settings.SOCKETS_UNAUTHENTICATED:
            self._looked_at = now
            self._look_later()

    def _show_out(self, stranger: Stranger) -> None:
        self.discard(stranger)
        stats.unauthenticated_closed += 1
        stranger.too_silent()
