"""A channel layer that loses, doubles, delays and reorders what comes through Redis.

    DJANGO_SETTINGS_MODULE=tests.faults.shim_settings
    SPACE_SHIM="drop=0.3 double=0.2 delay=0.3"      shares of the messages; a delay is up to 3 s
    SPACE_SHIM_COUNTS=FOLDER                        what it did: a file of JSON for each process

The server's own canary is left alone: a server that hears it has no reason to think that anything
is lost, so that nothing but the poll of the database can heal.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer

LATEST_S = 3.0
AGAIN_S = 0.5


class Shim(RedisPubSubChannelLayer):  # type: ignore[misc]
    """Hands on what it hears as it likes. For one loop and one channel: that of the hub."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        said = dict(word.split("=") for word in os.environ["SPACE_SHIM"].split())
        self._share = Counter({what: float(share) for what, share in said.items()})
        self._did: Counter[str] = Counter()
        self._counts = Path(os.environ["SPACE_SHIM_COUNTS"]) / f"{os.getpid()}.json"
        self._heard: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue()
        self._hearing: asyncio.Task[None] | None = None

    async def receive(self, channel: str) -> dict[str, Any]:
        if self._hearing is None:
            self._hearing = asyncio.create_task(self._hear(channel))
        message = await self._heard.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def _hear(self, channel: str) -> None:
        while True:
            try:
                message = await self._get_layer().receive(channel)
            except Exception as error:  # the hub's business
                self._heard.put_nowait(error)
                await asyncio.sleep(AGAIN_S)
                continue
            if message["kind"] == "canary":
                self._heard.put_nowait(message)
            else:
                self._pass_on(message)
                self._counts.write_text(json.dumps(self._did))

    def _pass_on(self, message: dict[str, Any]) -> None:
        self._did["messages"] += 1
        if self._shall("drop"):
            return
        for _ in range(2 if self._shall("double") else 1):
            late_s = random.uniform(0, LATEST_S) if self._shall("delay") else 0.0
            asyncio.get_running_loop().call_later(late_s, self._heard.put_nowait, message)

    def _shall(self, do: str) -> bool:
        it_is_so = random.random() < self._share[do]
        self._did[do] += it_is_so
        return it_is_so
