"""A channel layer that loses, doubles, delays and reorders what comes through Redis.

    DJANGO_SETTINGS_MODULE=tests.faults.shim_settings
    SPACE_SHIM="drop=0.3 double=0.2 delay=0.3"      shares of the messages; a delay is up to 3 s
    SPACE_SHIM_COUNTS=FOLDER                        what it did: a file of JSON for each process

The server's own canary passes: a server that receives it has no reason to suspect a loss, so that
only the poll of the database can heal.
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
    """Passes messages on, late, twice or not at all. For one loop and one channel: the hub's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        said = dict(word.split("=") for word in os.environ["SPACE_SHIM"].split())
        self._share = Counter({what: float(share) for what, share in said.items()})
        self._did: Counter[str] = Counter()
        self._counts = Path(os.environ["SPACE_SHIM_COUNTS"]) / f"{os.getpid()}.json"
        self._passed: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue()
        self._listening: asyncio.Task[None] | None = None

    async def receive(self, channel: str) -> dict[str, Any]:
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(channel))
        message = await self._passed.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def _listen(self, channel: str) -> None:
        while True:
            try:
                message = await self._get_layer().receive(channel)
            except Exception as error:  # the hub handles it
                self._passed.put_nowait(error)
                await asyncio.sleep(AGAIN_S)
                continue
            if message["kind"] == "canary":
                self._passed.put_nowait(message)
            else:
                self._pass_on(message)
                self._counts.write_text(json.dumps(self._did))

    def _pass_on(self, message: dict[str, Any]) -> None:
        self._did["messages"] += 1
        if self._shall("drop"):
            return
        for _ in range(2 if self._shall("double") else 1):
            late_s = random.uniform(0, LATEST_S) if self._shall("delay") else 0.0
            asyncio.get_running_loop().call_later(late_s, self._passed.put_nowait, message)

    def _shall(self, do: str) -> bool:
        shall = random.random() < self._share[do]
        self._did[do] += shall
        return shall
