"""A network between a browser and a server that can be lost and found.

A browser's own "offline" spares the sockets that are open, so it alone is no loss of network.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from urllib.parse import urlsplit


class Cable:
    """Passes on what a browser says to the server at `to`, and what it hears.

    What is on its way when it is pulled is never heard of again: neither side is told, and its
    connections stay dead after it is plugged in again, as those of a laptop in another network.
    """

    def __init__(self, to: str) -> None:
        self.base = ""  # for the browser
        self._to = urlsplit(to)
        self._plugged = asyncio.Event()
        self._plugged.set()
        self._refuses = False
        self._times_pulled = self._times_muted = 0
        self._near: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def pull(self) -> None:
        """Nothing passes, until it is plugged in again."""
        self._plugged.clear()
        self._times_pulled += 1

    def refuse(self) -> None:
        """The connections break, and no new one is had, until it is plugged in again."""
        self._refuses = True
        self.cut()

    def plug(self) -> None:
        self._refuses = False
        self._plugged.set()

    def mute(self) -> None:
        """What the browser says on its connections still arrives, but no answer does."""
        self._times_muted += 1

    def cut(self) -> None:
        """The connections break, and the browser is told so. New ones are possible."""
        for writer in self._near:
            writer.transport.abort()

    def _accept(self, near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        if self._refuses:
            answer.transport.abort()
            return
        task = asyncio.create_task(self._connect(near, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        with closing(answer):
            await self._plugged.wait()
            pulled, muted = self._times_pulled, self._times_muted

            def arrives() -> bool:
                return pulled == self._times_pulled

            def is_heard() -> bool:
                return arrives() and muted == self._times_muted

            far, ask = await asyncio.open_connection(self._to.hostname, self._to.port)
            self._near.add(answer)
            try:
                with closing(ask):
                    await asyncio.gather(
                        _pass_on(near, ask, arrives), _pass_on(far, answer, is_heard)
                    )
            finally:
                self._near.discard(answer)


async def _pass_on(
    source: asyncio.StreamReader, to: asyncio.StreamWriter, passes: Callable[[], bool]
) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            if passes():
                to.write(data)
                await to.drain()
    if passes():
        to.close()


@asynccontextmanager
async def cable(to: str) -> AsyncIterator[Cable]:
    """A cable to the server at `to`."""
    between = Cable(to)
    listener = await asyncio.start_server(between._accept, "127.0.0.1", 0)
    between.base = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield between
    finally:
        listener.close()
        for task in list(between._tasks):
            task.cancel()
        await asyncio.gather(*between._tasks, return_exceptions=True)
