"""The health of a server process, for its watchdog and for `/readyz`.

check            fails when                                                 ends the process after
the event loop   it does not answer                                         15 s
deaf             no ping returns from Redis, though a new connection works  15 s (22 to 27 s after
                                                                            the last echo)
not reconciling  no round reaches the database, though a new connection     30 s
not publishing   messages neither leave the queue nor expire there          15 s
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
from realtime.hub.background import Node
from runtime.database.probe import check_can_connect
from runtime.watchdog import CounterHeartbeat, HealthCheck, LoopHeartbeat, Watchdog

REDIS_LOST_S = 15.0
NOT_RECONCILING_S = 30.0
NOT_PUBLISHING_S = 15.0
REDIS_TIMEOUT_S = 2.0  # for each step of the check

_health: ProcessHealth | None = None


class ProcessHealth:
    """That of one server process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_check: Callable[[], object]) -> None:
        self._loop = loop
        self._heartbeat = LoopHeartbeat(loop.call_soon_threadsafe)
        self._rounds = CounterHeartbeat(self._answers_so_far)
        self._leaves = CounterHeartbeat(publisher.rounds)
        self.watchdog = Watchdog(
            [
                HealthCheck.of_loop("the event loop", self._heartbeat),
                HealthCheck("deaf", self._has_lost_redis, REDIS_LOST_S, check_redis),
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

    def _node(self) -> Node | None:
        return Node.of(self._loop)

    def _has_lost_redis(self) -> bool:
        node = self._node()
        return node is not None and node.canary.lost_redis

    def _answers_so_far(self) -> int:
        node = self._node()
        return node.reconciler.answers if node else 0

    def _no_round(self) -> bool:
        return not self._rounds.has_beaten() and self._node() is not None

    def _nothing_leaves(self) -> bool:
        return not self._leaves.has_beaten() and publisher.waiting() > 0


def watch(on_check: Callable[[], object] = lambda: None) -> None:
    """Starts the watchdog of the running event loop. The server calls this once in a process."""
    global _health
    if settings.WATCHDOG:
        _health = ProcessHealth(asyncio.get_running_loop(), on_check)
        _health.watchdog.start()


def unwatch() -> None:
    """The loop is about to end in order."""
    if _health is not None:
        _health.watchdog.stop()


def process_health() -> ProcessHealth | None:
    """That of this process, if it is watched."""
    return _health


def check_redis() -> None:
    """Sends itself a message through Redis on new connections. Raises if it does not arrive."""
    name = f"{settings.CHANNEL_PREFIX}.watchdog.{secrets.token_hex(8)}"
    server = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=REDIS_TIMEOUT_S, socket_timeout=REDIS_TIMEOUT_S
    )
    channel: Any = server.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    with server, channel:
        channel.subscribe(name)
        channel.get_message(timeout=REDIS_TIMEOUT_S)  # the confirmation
        server.publish(name, "ping")
        for _ in range(2):
            if channel.get_message(timeout=REDIS_TIMEOUT_S) is not None:
                return
    raise TimeoutError(f"no message arrived over {urlsplit(settings.REDIS_URL).hostname}")
