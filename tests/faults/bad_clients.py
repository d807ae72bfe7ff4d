"""Authenticated connections that read nothing, or 1 KB/s."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from benchmarks.load_generator.accounts import Account
from tests.support.slow_reader import stops_reading

SLOW = 1_024  # bytes a second


async def _reads_slowly(client: socket.socket) -> None:
    with suppress(OSError):  # the server closed the connection
        while await asyncio.get_running_loop().sock_recv(client, SLOW):  # noqa: ASYNC110
            await asyncio.sleep(1)


@asynccontextmanager
async def bad_readers(accounts: list[Account], base: str, *, each: int) -> AsyncIterator[int]:
    """So many connections of each account; every other one reads 1 KB/s. Gives their number."""
    clients = [
        await stops_reading(account.access, base) for account in accounts for _ in range(each)
    ]
    slow = [asyncio.create_task(_reads_slowly(client)) for client in clients[::2]]
    try:
        yield len(clients)
    finally:
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        for client in clients:
            client.close()
