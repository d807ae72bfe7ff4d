"""What a server process must be able to do, for its watchdog and for `/readyz`.

the event loop        goes round                                         else 15 s
deaf                  hears its canary, although Redis carries another's  15 s from when it is
                      known, so 22 to 27 s after the last word
not reconciling       its rounds reach the database, although another      30 s
                      connection does
not publishing        what is announced leaves the queue, or grows too     15 s
                      old there
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings

from realtime.broker import publisher
from realtime.hub.hub import Hub
from runtime.database.probe import check_can_connect
from runtime.watchdog import CounterHeartbeat, HealthCheck, LoopHeartbeat, Watchdog

DEAF_S = 15.0
NOT_RECONCILING_S = 30.0
NOT_PUBLISHING_S = 15.0
REDIS_WITHIN_S = 2.0  # each step of the trial

_vitals: Vitals | None = None


class Vitals:
    """Of one server process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_check: Callable[[], object]) -> None:
        self._loop = loop
        self._heartbeat = LoopHeartbeat(loop.call_soon_threadsafe)
        self._rounds = CounterHeartbeat(self._rounds_so_far)
        self._leaves = CounterHeartbeat(publisher.rounds)
        self.watchdog = Watchdog(
            [
                HealthCheck.of_loop("the event loop", self._heartbeat),
                HealthCheck("deaf", self._is_deaf, DEAF_S, hear_anew),
                HealthCheck(
                    "not reconciling", self._no_round, NOT_RECONCILING_S, check_can_connect
                ),
                HealthCheck("not publishing", self._nothing_leaves, NOT_PUBLISHING_S),
            ],
            on_check,
        )

    def loop_lag_s(self) -> float:
        return self._heartbeat.lag_s()

    def serious(self) -> set[str]:
        return {check.name for check in self.watchdog.checks if check.is_serious()}

    def _hub(self) -> Hub | None:
        return Hub.of(self._loop)

    def _is_deaf(self) -> bool:
        hub = self._hub()
        return hub is not None and hub.canary.is_deaf

    def _rounds_so_far(self) -> int:
        hub = self._hub()
        return hub.rounds if hub else 0

    def _no_round(self) -> bool:
        return not self._rounds.has_beaten() and self._hub() is not None

    def _nothing_leaves(self) -> bool:
        return not self._leaves.has_beaten() and publisher.waiting() > 0


def watch(on_check: Callable[[], object] = lambda: None) -> None:
    """From now on, for the running event loop. Once in a process, by whoever serves."""
    global _vitals
    if settings.WATCHDOG:
        _vitals = Vitals(asyncio.get_running_loop(), on_check)
        _vitals.watchdog.start()


def unwatch() -> None:
    """The loop will end, in order."""
    if _vitals is not None:
        _vitals.watchdog.stop()


def vitals() -> Vitals | None:
    """Of this process, if it is watched."""
    return _vitals


def hear_anew() -> None:
    """A word to oneself through Redis, on connections of its own. Raises where it does not come."""
    name = f"{settings.CHANNEL_PREFIX}.watchdog.{secrets.token_hex(8)}"
    server = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=REDIS_WITHIN_S, socket_timeout=REDIS_WITHIN_S
    )
    ear: Any = server.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    with server, ear:
        ear.subscribe(name)
        ear.get_message(timeout=REDIS_WITHIN_S)  # that it is subscribed
        server.publish(name, "word")
        for _ in range(2):
            if ear.get_message(timeout=REDIS_WITHIN_S) is not None:
                return
    raise TimeoutError(f"nothing came over {urlsplit(settings.REDIS_URL).hostname}")
