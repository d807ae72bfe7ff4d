"""Does this process still hear Redis? It sends a word to its own channel every few seconds.

A connection can be broken without anybody's being told (half open: the other side is gone, or a
firewall forgot it). Nothing fails then; news just do not come, and only `reconcile.py` finds them,
seconds late. So: who does not hear two of its own words in a row is deaf. It says so once, connects
anew until it hears again, and then has reconciling look at once for what it missed.

`deaf_s` is for whoever decides what a deaf process is good for: `/readyz`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from realtime.stats import canary_round_trip, stats

log = logging.getLogger(__name__)

EVERY_S = 5.0
HEARD_WITHIN_S = 2.0  # PUBLISH and the way back; a tenth of a second would be slow
EVERY_S_WHEN_DEAF = 1.0  # to know soon that it hears again
DEAF_AFTER = 2  # in a row: one may be lost while the layer connects anew by itself
CONNECT_EVERY_S = 5.0  # a new connection may take 2 s, its greeting as long, and the layer naps 1 s


class Canary:
    """`publish` sends the word; whoever reads the channel calls `heard`.

    `hear_anew` has a new connection made; `heard_again` is called when that has helped.
    """

    def __init__(
        self,
        publish: Callable[[], Awaitable[None]],
        hear_anew: Callable[[], None],
        heard_again: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publish = publish
        self._hear_anew = hear_anew
        self._heard_again = heard_again
        self._now = now
        self._word_came = asyncio.Event()
        self._lost_in_a_row = 0
        self._heard_at = self._sang_at = now()
        self._connected_at = now()
        self.is_deaf = False

    def deaf_s(self) -> float:
        """For how many seconds nothing was heard, if it is deaf; else 0. Safe from any thread."""
        return self._now() - self._heard_at if self.is_deaf else 0.0

    async def keep_singing(self) -> None:
        """For ever."""
        while True:
            started = self._now()
            await self.sing()
            every = EVERY_S_WHEN_DEAF if self.is_deaf else EVERY_S
            await asyncio.sleep(max(0.0, started + every - self._now()))

    async def sing(self) -> None:
        """One word, and the wait for it."""
        self._word_came.clear()
        self._sang_at = self._now()
        stats.canaries_sent += 1
        why = "it was sent, and did not come back"
        try:
            async with asyncio.timeout(HEARD_WITHIN_S):
                await self._publish()
                await self._word_came.wait()
        except TimeoutError:
            pass
        except Exception as error:  # whatever redis-py or the layer may raise
            why = repr(error)
        if not self._word_came.is_set():
            self._lost(why)

    def heard(self) -> None:
        """The word came, be it late."""
        stats.canaries_returned += 1
        if not self._word_came.is_set():
            canary_round_trip.observe(self._now() - self._sang_at)
        self._word_came.set()
        self._lost_in_a_row = 0
        if self.is_deaf:
            log.warning("hears Redis again, after %.0f s", self.deaf_s())
            self.is_deaf = False
            self._heard_again()
        self._heard_at = self._now()

    def _lost(self, why: str) -> None:
        stats.canaries_lost += 1
        self._lost_in_a_row += 1
        if self._lost_in_a_row < DEAF_AFTER:
            return
        if not self.is_deaf:
            self.is_deaf = True
            stats.times_redis_lost += 1
            log.error("does not hear Redis, devices are told by the database (%s)", why)
        elif self._now() - self._connected_at < CONNECT_EVERY_S:
            return
        self._connected_at = self._now()
        stats.connections_dropped += 1
        self._hear_anew()
