"""A proxy to Redis whose connections can become half open: nothing fails, and nothing arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Way:
    """A TCP proxy on `port`. What it has swallowed never comes, not even when it is whole again."""

    to: tuple[str, int]
    port: int = 0
    opened: int = 0  # connections so far
    _swallowed: set[int] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def goes_nowhere(self) -> None:
        """The connections that there are stay open and carry nothing any more: half open."""
        self._swallowed = set(range(1, self.opened + 1))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        number = self.opened
        back, forth = await asyncio.open_connection(*self.to)
        for source, sink in ((reader, forth), (back, writer)):
            task = asyncio.create_task(self._carry(number, source, sink))
            self._tasks.add(task)

    async def _carry(
        self, number: int, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await source.read(65536):
                if number not in self._swallowed:
                    sink.write(data)
        except ConnectionError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def way_to(host: str, port: int) -> AsyncIterator[Way]:
    way = Way((host, port))
    server = await asyncio.start_server(way._accept, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
        for task in way._tasks:
            task.cancel()
        await asyncio.gather(*way._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the closed ends are let go
