"""The subscription to Redis: one channel, in the groups of the users connected here.

One channel and one reading task serve all sockets of the process. While Redis is away the sockets
lose change notifications only; `reconcile.py` reads those changes from the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from realtime.broker import channel_layer
from realtime.broker.canary import Canary
from realtime.hub.batching import Batcher

log = logging.getLogger(__name__)

REDIS_TIMEOUT_S = 2.0  # to join or leave groups: one lock of the layer guards both
RETRY_S = 1.0

Message = dict[str, Any]


class Subscription:
    """That of one event loop. `on_recovered` is called when messages arrive again after a loss."""

    def __init__(self, on_recovered: Callable[[], None]) -> None:
        self.canary = Canary(
            self._send_to_self, resubscribe=channel_layer.resubscribe, on_recovered=on_recovered
        )
        self._channel: str | None = None
        self._has_channel = asyncio.Event()
        self._joining: Batcher[str, bool] = Batcher(lambda g: self._change(channel_layer.join, g))
        self._leaving: Batcher[str, bool] = Batcher(lambda g: self._change(channel_layer.leave, g))
        self._failing = False  # to join or leave: one line in the log for an outage

    async def join(self, user_id: int) -> bool:
        """Whether the user's group is joined now. A Redis that is known to be lost is not tried."""
        if self.canary.lost_redis:
            return False
        return await self._joining.submit(channel_layer.of_user(user_id))

    async def leave(self, user_id: int) -> None:
        await self._leaving.submit(channel_layer.of_user(user_id))

    async def _change(
        self, act: Callable[[Collection[str], str], Awaitable[None]], names: list[str]
    ) -> list[bool]:
        """Joins or leaves all of these groups. After a failure none of them is certain."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self._has_channel.wait()
                assert self._channel is not None
                await act(names, self._channel)
        except Exception as error:
            if not self._failing:
                log.warning("cannot %s groups, trying again: %r", act.__name__, error)
            self._failing = True
            return [False] * len(names)
        self._failing = False
        return [True] * len(names)

    async def listen(self, on_message: Callable[[Message], None]) -> None:
        """Reads the channel for ever."""
        failing = False
        while True:
            try:
                layer = channel_layer.channel_layer()
                if self._channel is None:
                    self._channel = await layer.new_channel()
                    self._has_channel.set()
                message = await layer.receive(self._channel)
                failing = False
            except Exception as error:
                if not failing:
                    log.warning("cannot read from Redis, trying again", exc_info=error)
                failing = True
                await asyncio.sleep(RETRY_S)
                continue
            try:
                if message["kind"] == "canary":
                    self.canary.on_echo()
                else:
                    on_message(message)
            except Exception:
                log.exception("a message from Redis could not be handled")

    async def _send_to_self(self) -> None:
        await self._has_channel.wait()
        await channel_layer.channel_layer().send(self._channel, {"kind": "canary"})
