"""Python's websockets as its guide to broadcasting shows it, on uvloop.

python -m benchmarks.peers.broadcast PORT
"""

from __future__ import annotations

import asyncio
import signal
import sys
from urllib.parse import urlsplit

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.peers.ticks import session_of, ticks

watchers: dict[int, set[ServerConnection]] = {}
countdowns: dict[int, asyncio.Task[None]] = {}


async def count(session: int) -> None:
    async for text in ticks(session):
        broadcast(watchers[session], text)


async def device(connection: ServerConnection) -> None:
    """A socket of one session: the first one starts its countdown, the last one ends it."""
    assert connection.request is not None
    session = session_of(urlsplit(connection.request.path).query)
    if session not in watchers:
        watchers[session] = set()
        countdowns[session] = asyncio.create_task(count(session))
    watchers[session].add(connection)
    try:
        await connection.wait_closed()
    finally:
        watchers[session].remove(connection)
        if not watchers[session]:
            del watchers[session]
            countdowns.pop(session).cancel()


async def main(port: int) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with serve(device, "127.0.0.1", port, compression=None, backlog=4096):
        print("ready", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
