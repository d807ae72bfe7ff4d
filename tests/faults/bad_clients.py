"""Connections that are authenticated, and then do not read, or hardly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from benchmarks.load_generator.accounts import Account

SMALL = 4_096  # bytes that the kernel keeps for one who does not read
SLOW = 1_024  # bytes a second


async def stops_reading(account: Account, base: str) -> socket.socket:
    """A connection that has heard `ready`, and takes nothing any more."""
    url, loop = urlsplit(base), asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    client.setblocking(False)
    await loop.sock_connect(client, (url.hostname, url.port))
    request = (
        f"GET /ws/ HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nAuthorization: Bearer {account.access}\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(client, request.encode())
    seen = b""
    while b'"ready"' not in seen:
        piece = await loop.sock_recv(client, 256)
        assert piece, f"refused: {seen!r}"
        seen += piece
    return client


async def _reads_slowly(client: socket.socket) -> None:
    with suppress(OSError):  # the server has had enough
        while await asyncio.get_running_loop().sock_recv(client, SLOW):  # noqa: ASYNC110
            await asyncio.sleep(1)


@asynccontextmanager
async def bad_readers(accounts: list[Account], base: str, *, each: int) -> AsyncIterator[int]:
    """So many of each account; every other one reads 1 KB/s, the rest nothing. Gives how many."""
    clients = [await stops_reading(account, base) for account in accounts for _ in range(each)]
    slow = [asyncio.create_task(_reads_slowly(client)) for client in clients[::2]]
    try:
        yield len(clients)
    finally:
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        for client in clients:
            client.close()
