"""The whole application on a server in the test's own event loop."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from realtime.broker import publisher
from realtime.broker.channel_layer import channel_layer
from realtime.hub.background import Node, cancel_until_ended
from server.run import LARGEST_FRAME_READ, WebSocket


async def close_layer(layer: Any) -> None:
    """Its own `flush` cancels the reading task only once, which redis-py may lose."""
    reading = [shard._receive_task for shard in layer._shards]
    await cancel_until_ended(task for task in reading if task is not None)
    await layer.flush()


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """Where the server is. The test can look into its hub: they share the loop."""
    config = uvicorn.Config(
        "config.asgi:application",
        ws=WebSocket,
        ws_max_size=LARGEST_FRAME_READ,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    with socket.socket() as listener:
        listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
        )  # soon full, if a client does not read
        listener.bind(("127.0.0.1", 0))
        # Without its main loop: its signals belong to pytest here, and its naps are long.
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup([listener])
        node = Node.here()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await server.shutdown()
            publisher.flush()
            await node.stop()
            await close_layer(channel_layer())
