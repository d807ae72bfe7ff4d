"""Channels without groups: each socket has a task that sleeps to the next second and sends it.

python -m benchmarks.peers.sleep_loop PORT
"""

from __future__ import annotations

import asyncio
import sys

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from benchmarks.peers import on_uvicorn
from benchmarks.peers.ticks import session_of, ticks


class Device(AsyncWebsocketConsumer):
    """A socket with a countdown of its own."""

    async def connect(self) -> None:
        await self.accept()
        session = session_of(self.scope["query_string"].decode())
        self.countdown = asyncio.create_task(self.count(session))

    async def disconnect(self, code: int) -> None:
        self.countdown.cancel()

    async def count(self, session: int) -> None:
        async for text in ticks(session):
            await self.send(text_data=text)


if __name__ == "__main__":
    settings.configure()
    on_uvicorn.serve(Device.as_asgi(), int(sys.argv[1]))
