"""A device: signs in over REST, opens the socket, and keeps the frames that it receives.

Used by the measurements and by the tests that run whole servers.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

PATIENCE_S = 10.0
Frame = dict[str, Any]


@dataclass
class Account:
    """A user of a server at `base` ("http://127.0.0.1:8000"), signed in."""

    base: str
    access: str
    refresh: str
    user: dict[str, Any]

    @classmethod
    async def sign_up(cls, base: str, name: str | None = None) -> Account:
        name = name or f"user{secrets.token_hex(6)}"
        body = {
            "username": name,
            "email": f"{name}@example.org",
            "password": "a long walk at dusk",
            "confirmPassword": "a long walk at dusk",
        }
        async with httpx.AsyncClient(base_url=base) as http:
            answer = await http.post("/users/signup/", json=body)
        answer.raise_for_status()
        return cls(base=base, **answer.json())

    def at(self, base: str) -> Account:
        """The same account at another server process."""
        return Account(base, self.access, self.refresh, self.user)

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.base, headers={"Authorization": f"Bearer {self.access}"}, timeout=20
        )

    async def session(self, title: str = "Write", duration: int = 25) -> dict[str, Any]:
        """A new ready session."""
        async with self.http() as http:
            answer = await http.post("/sessions/", json={"title": title, "duration": duration})
        answer.raise_for_status()
        return dict(answer.json())


@dataclass
class Device:
    """An open socket. `frames` holds all that came, each with `arrived` (monotonic seconds)."""

    socket: ClientConnection
    ready: Frame
    frames: list[Frame] = field(default_factory=list)
    ids: itertools.count[int] = field(default_factory=itertools.count)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    offset_ms: float = 0.0  # server's clock less our monotonic clock, in milliseconds

    def now_ms(self) -> float:
        """The server's clock, as measured."""
        return time.monotonic() * 1000 + self.offset_ms

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def command(self, action: str, session: int, **arguments: Any) -> Frame:
        """Sends a command and waits for its ack or error."""
        frame_id = f"c{next(self.ids)}"
        await self.send(type="command", id=frame_id, action=action, session=session, **arguments)
        return await self.heard(lambda f: f.get("id") == frame_id)

    async def heard(self, wanted: Callable[[Frame], bool], patience_s: float = PATIENCE_S) -> Frame:
        """The first frame that is wanted, now or when it comes. Raises TimeoutError."""
        async with asyncio.timeout(patience_s):
            seen = 0
            while True:
                for frame in self.frames[seen:]:
                    if wanted(frame):
                        return frame
                seen = len(self.frames)
                self.arrived.clear()
                await self.arrived.wait()

    async def heard_type(self, kind: str, patience_s: float = PATIENCE_S, **values: Any) -> Frame:
        """The first frame of this type with these values."""
        return await self.heard(
            lambda f: f["type"] == kind and all(f.get(k) == v for k, v in values.items()),
            patience_s,
        )

    async def measure_clock(self, samples: int = 8) -> None:
        """The offset from the sample with the least round trip, as the contract says."""
        best = float("inf")
        for _ in range(samples):
            frame_id = f"p{next(self.ids)}"
            sent = time.monotonic() * 1000
            await self.send(type="ping", id=frame_id, client_time=sent)
            pong = await self.heard_type("pong", id=frame_id)
            received = pong["arrived"] * 1000
            if received - sent < best:
                best = received - sent
                self.offset_ms = (
                    (pong["server_received"] - sent) + (pong["server_sent"] - received)
                ) / 2

    async def _listen(self) -> None:
        async for text in self.socket:
            now = time.monotonic()
            self.frames.append(json.loads(text) | {"arrived": now})
            self.arrived.set()


@asynccontextmanager
async def device(
    account: Account, name: str = "Laptop", *, origin: str | None = None, **seen: Any
) -> AsyncIterator[Device]:
    """An authenticated socket of the account; `seen` may have `epoch` and `since`."""
    url = account.base.replace("http", "ws", 1) + "/ws/"
    async with connect(url, origin=origin, compression=None) as socket:  # type: ignore[arg-type]
        await socket.send(
            json.dumps({"type": "authenticate", "token": account.access, "device": name, **seen})
        )
        first = json.loads(await socket.recv())
        opened = Device(socket, first)
        listening = asyncio.create_task(opened._listen())
        try:
            yield opened
        finally:
            listening.cancel()
            (ended,) = await asyncio.gather(listening, return_exceptions=True)
            if isinstance(ended, AssertionError):  # what came was not what may come
                raise ended
