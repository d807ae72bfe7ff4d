"""Checks that this process receives messages from Redis: it pings its own channel every 5 s.

A connection can be half open: the other side is gone, or a firewall dropped its state. Nothing
fails then, but no message arrives, and only `reconcile.py` finds the changes, seconds late. So a
process that misses two of its own pings in a row has lost Redis. The canary logs that once,
reconnects until a ping returns, and then has the reconciler start a round at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from realtime.stats import canary_round_trip, stats

log = logging.getLogger(__name__)

PING_INTERVAL_S = 5.0
PING_INTERVAL_LOST_S = 1.0  # to notice soon that messages arrive again
ECHO_WITHIN_S = 2.0  # PUBLISH and the way back; a tenth of a second would be slow
LOST_AFTER = 2  # pings in a row: one may be lost while the layer reconnects by itself
RECONNECT_INTERVAL_S = 5.0  # connecting may take 2 s, the greeting as long, and the layer waits 1 s


class Canary:
    """`publish` sends a ping; the reader of the channel calls `on_echo`.

    `resubscribe` starts a new connection; `on_recovered` is called when a ping has returned after
    Redis was lost.
    """

    def __init__(
        self,
        publish: Callable[[], Awaitable[None]],
        resubscribe: Callable[[], None],
        on_recovered: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._resubscribe = resubscribe
        self._on_recovered = on_recovered
        self._now = now
        self._echoed = asyncio.Event()
        self._lost_in_a_row = 0
        self._echo_at = self._ping_at = self._reconnected_at = now()
        self.lost_redis = False

    def lost_for_s(self) -> float:
        """Seconds since the last echo if Redis is lost, else 0. Safe from any thread."""
        return self._now() - self._echo_at if self.lost_redis else 0.0

    async def run(self) -> None:
        """Pings for ever."""
        while True:
            started = self._now()
            await self.ping()
            every = PING_INTERVAL_LOST_S if self.lost_redis else PING_INTERVAL_S
            await asyncio.sleep(max(0.0, started + every - self._now()))

    async def ping(self) -> None:
        """Sends one ping, and waits for its echo."""
        self._echoed.clear()
        self._ping_at = self._now()
        stats.canaries_sent += 1
        why = "a ping was sent, and did not return"
        try:
            async with asyncio.timeout(ECHO_WITHIN_S):
                await self._publish()
                await self._echoed.wait()
        except TimeoutError:
            pass
        except Exception as error:  # whatever redis-py or the layer may raise
            why = repr(error)
        if not self._echoed.is_set():
            self._on_loss(why)

    def on_echo(self) -> None:
        """A ping returned, be it late."""
        stats.canaries_returned += 1
        if not self._echoed.is_set():
            canary_round_trip.observe(self._now() - self._ping_at)
        self._echoed.set()
        self._lost_in_a_row = 0
        if self.lost_redis:
            log.warning("receives from Redis again, after %.0f s", self.lost_for_s())
            self.lost_redis = False
            self._on_recovered()
        self._echo_at = self._now()

    def _on_loss(self, why: str) -> None:
        stats.canaries_lost += 1
        self._lost_in_a_row += 1
        if self._lost_in_a_row < LOST_AFTER:
            return
        if not self.lost_redis:
            self.lost_redis = True
            stats.times_redis_lost += 1
            log.error("receives nothing from Redis, changes come from the database (%s)", why)
        elif self._now() - self._reconnected_at < RECONNECT_INTERVAL_S:
            return
        self._reconnected_at = self._now()
        stats.connections_dropped += 1
        self._resubscribe()
