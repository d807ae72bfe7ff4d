"""Channels as its documents show it: a group for each session, and `group_send` every second.

python -m benchmarks.peers.group_send PORT pubsub|core REDIS_URL
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.conf import settings

from benchmarks.peers import on_uvicorn
from benchmarks.peers.ticks import session_of, ticks

LAYERS = {
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "core": "channels_redis.core.RedisChannelLayer",
}
# All sockets of a process share an inbox in the core layer; with the default of 100 messages it
# would lose ticks as soon as a few hundred sockets are there.
CAPACITY = 50_000


class Countdown:
    """What ticks for one session, while somebody watches it."""

    running: dict[int, Countdown] = {}

    def __init__(self, session: int) -> None:
        self.watchers = 0
        self.task = asyncio.create_task(self.tick(session))

    @classmethod
    def watch(cls, session: int) -> None:
        countdown = cls.running.get(session)
        if countdown is None:
            countdown = cls.running[session] = cls(session)
        countdown.watchers += 1

    @classmethod
    def leave(cls, session: int) -> None:
        countdown = cls.running[session]
        countdown.watchers -= 1
        if not countdown.watchers:
            countdown.task.cancel()
            del cls.running[session]

    async def tick(self, session: int) -> None:
        layer, group = get_channel_layer(), group_of(session)
        assert layer is not None  # main() has configured it
        async for text in ticks(session):
            await layer.group_send(group, {"type": "session.tick", "text": text})


def group_of(session: int) -> str:
    return f"session.{session}"


class Device(AsyncWebsocketConsumer):
    """A socket that watches one session."""

    async def connect(self) -> None:
        self.session = session_of(self.scope["query_string"].decode())
        await self.channel_layer.group_add(group_of(self.session), self.channel_name)
        await self.accept()
        Countdown.watch(self.session)

    async def disconnect(self, code: int) -> None:
        Countdown.leave(self.session)
        await self.channel_layer.group_discard(group_of(self.session), self.channel_name)

    async def session_tick(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])


def main(port: int, layer: str, redis_url: str) -> None:
    config: dict[str, Any] = {"hosts": [redis_url], "prefix": f"peer-{port}"}
    if layer == "core":
        config["capacity"] = CAPACITY
    settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": LAYERS[layer], "CONFIG": config}})
    on_uvicorn.serve(Device.as_asgi(), port)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
