"""A device that is authenticated and then reads nothing any more."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

SMALL = 4_096  # bytes that the kernel keeps for a client that does not read


async def stops_reading(access: str, base: str) -> socket.socket:
    """The device's connection, which has received `ready`."""
    url, loop = urlsplit(base), asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    client.setblocking(False)
    await loop.sock_connect(client, (url.hostname, url.port))
    request = (
        f"GET /ws/ HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nAuthorization: Bearer {access}\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(client, request.encode())
    seen = b""
    while b'"ready"' not in seen:
        piece = await loop.sock_recv(client, 256)
        assert piece, f"refused: {seen!r}"
        seen += piece
    return client
