"""Sockets that only listen, and note how late each tick came.

    python -m benchmarks.tick_listener PORT SECONDS < TOKENS      one socket for each line

Prints {"sockets", "ticks", "p50_ms", "p99_ms", "max_ms"}. Lateness is the arrival here less the
second that the tick is for, both by this machine's clock, so the server must run on it too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import struct
import sys
import time
from datetime import datetime
from typing import Any

_REMAINING = re.compile(rb'"remaining_ms": ?(\d+)')
OPENING_AT_ONCE = 20


class Listener(asyncio.Protocol):
    """A socket as thin as it can be: it looks into ticks only."""

    def __init__(self, token: str, port: int, late_ms: list[float]) -> None:
        self._token, self._port, self._late_ms = token, port, late_ms
        self._heard = bytearray()
        self._upgraded = False
        self._ends_at_ms = 0.0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if not self._upgraded:
            head, found, rest = bytes(self._heard).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.ready.set_exception(ConnectionError(head[:60].decode()))
                return
            self._upgraded, self._heard = True, bytearray(rest)
            self._say(0x1, json.dumps({"type": "authenticate", "token": self._token}).encode())
        while (frame := self._next()) is not None:
            self._take(*frame)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionError("closed"))

    def _next(self) -> tuple[int, bytes] | None:
        if len(self._heard) < 4:
            return None
        length, start = self._heard[1] & 127, 2
        if length == 126:
            length, start = int.from_bytes(self._heard[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(self._heard[2:10]), 10
        if len(self._heard) < start + length:
            return None
        frame = self._heard[0] & 15, bytes(self._heard[start : start + length])
        del self._heard[: start + length]
        return frame

    def _take(self, kind: int, body: bytes) -> None:
        if kind == 0x9:
            self._say(0xA, body)
        elif b'"session.tick"' in body and (found := _REMAINING.search(body)):
            self._late_ms.append(time.time() * 1000 - (self._ends_at_ms - int(found[1])))
        elif b'"ready"' in body[:40]:
            ends_at = json.loads(body)["active"]["timer"]["ends_at"]
            self._ends_at_ms = datetime.fromisoformat(ends_at).timestamp() * 1000
            self.ready.set_result(None)

    def _say(self, kind: int, body: bytes) -> None:
        length = len(body)
        if length < 126:
            head = struct.pack("!BB", 0x80 | kind, 0x80 | length)
        else:
            head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, length)
        self._transport.write(head + bytes(4) + body)  # masked with zeros


async def listen(tokens: list[str], port: int, seconds: float) -> dict[str, Any]:
    late_ms: list[float] = []
    loop = asyncio.get_running_loop()
    turns = asyncio.Semaphore(OPENING_AT_ONCE)

    async def one(token: str) -> None:
        async with turns:
            made = lambda: Listener(token, port, late_ms)  # noqa: E731
            _, listener = await loop.create_connection(made, "127.0.0.1", port)
            await listener.ready

    await asyncio.gather(*(one(token) for token in tokens))
    print("listening", flush=True)
    await asyncio.sleep(1)
    late_ms.clear()
    await asyncio.sleep(seconds)
    late = sorted(late_ms)
    return {
        "sockets": len(tokens),
        "ticks": len(late),
        "p50_ms": round(late[len(late) // 2], 1),
        "p99_ms": round(late[len(late) * 99 // 100], 1),
        "max_ms": round(late[-1], 1),
    }


if __name__ == "__main__":
    told = sys.stdin.read().split()
    print(json.dumps(asyncio.run(listen(told, int(sys.argv[1]), float(sys.argv[2])))))
