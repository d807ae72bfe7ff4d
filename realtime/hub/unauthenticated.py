"""Sockets that are not authenticated yet: how many of them a process keeps open.

Each may take five seconds. Above the limit those that have been silent for a second are closed, the
longest silent first. Honest clients authenticate as soon as they are connected, so they are not
hit, and a crowd of them may exceed the limit for a moment. Above `HARD_FACTOR` times the limit the
oldest is closed at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from django.conf import settings

from realtime.stats import stats

SILENT_S = 1.0  # then it may be closed for others
CHECK_INTERVAL_S = 0.25
HARD_FACTOR = 3


class UnauthenticatedSocket(Protocol):
    def close_unauthenticated(self) -> None:
        """Closes it. Also removes it from here."""


class UnauthenticatedSockets:
    """Those of one event loop, the oldest first."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since: dict[UnauthenticatedSocket, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._checked_at = float("-inf")  # the last check, if the next one follows it

    def __len__(self) -> int:
        return len(self._since)

    def add(self, socket: UnauthenticatedSocket) -> None:
        self._since[socket] = self._now()
        if len(self) > HARD_FACTOR * settings.SOCKETS_UNAUTHENTICATED:
            self._close(next(iter(self._since)))
        if len(self) > settings.SOCKETS_UNAUTHENTICATED and self._timer is None:
            self._check_later()

    def discard(self, socket: UnauthenticatedSocket) -> None:
        """It is authenticated, or closed."""
        self._since.pop(socket, None)

    def _check_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(CHECK_INTERVAL_S, self._check)

    def _check(self) -> None:
        self._timer = None
        now = self._now()
        # A socket that was not here at the last check may have sent its token, and the loop has not
        # read it yet. Between two checks the loop has read whatever had arrived.
        before = min(now - SILENT_S, self._checked_at)
        while len(self) > settings.SOCKETS_UNAUTHENTICATED:
            oldest, since = next(iter(self._since.items()))
            if since > before:
                break
            self._close(oldest)
        self._checked_at = float("-inf")
        if len(self) > settings.SOCKETS_UNAUTHENTICATED:
            self._checked_at = now
            self._check_later()

    def _close(self, socket: UnauthenticatedSocket) -> None:
        self.discard(socket)
        stats.unauthenticated_closed += 1
        socket.close_unauthenticated()
