"""A TCP proxy between the app and its servers, or between a device and the app, that can be broken.

It runs in a thread of its own, so that what a test does meanwhile, and how long, does not matter.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

import uvloop

PIECE = 65_536


class Proxy:
    """Passes on what comes to `port`. Each fault lasts until `heal()`; each can be set at any time.

    blackhole()  nothing arrives any more, in either direction, and nobody is told
    mute()       what clients say arrives, and no answer comes back
    delay(s)     each piece arrives s seconds late, in order
    cut()        connections are closed properly (FIN), new ones are possible
    reset()      connections break (RST), new ones are possible
    refuse()     connections break, new ones too
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._loop = uvloop.new_event_loop()  # half of the work
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._started = threading.Event()
        self._open = asyncio.Event()  # of the proxy's loop: pieces may pass
        self._delay_s = 0.0
        self._refuses = self._mute = False
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port: int = 0
        self.connections = 0  # so far
        self._thread.start()
        assert self._started.wait(5)

    # -- faults ----------------------------------------------------------------------------------

    def blackhole(self) -> None:
        """What is on its way is lost for good: those connections stay dead after `heal`."""
        self._do(self._blackhole)

    def mute(self) -> None:
        self._do(lambda: setattr(self, "_mute", True))

    def delay(self, seconds: float) -> None:
        self._do(lambda: setattr(self, "_delay_s", seconds))

    def cut(self) -> None:
        self._do(self._close_all)

    def reset(self) -> None:
        self._do(self._abort_all)

    def refuse(self) -> None:
        self._do(self._refuse)

    def heal(self) -> None:
        self._do(self._heal)

    def stop(self) -> None:
        self._do(self._stop)
        self._thread.join(5)

    def _do(self, act: Any) -> None:
        done = threading.Event()

        def on_the_loop() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(on_the_loop)
        assert done.wait(5), "the proxy stands"

    # -- on the proxy's loop ---------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._open.set()
        listener = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = listener.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        listener.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _stop(self) -> None:
        self._abort_all()
        self._loop.call_soon(self._loop.stop)

    def _blackhole(self) -> None:
        self._open.clear()

    def _refuse(self) -> None:
        self._refuses = True
        self._abort_all()

    def _heal(self) -> None:
        if not self._open.is_set() or self._mute:
            self._abort_all()  # they have lost something: they must not go on as if they had not
        self._refuses = self._mute = False
        self._delay_s = 0.0
        self._open.set()

    def _close_all(self) -> None:
        for pair in self._pairs:
            for writer in pair:
                writer.close()

    def _abort_all(self) -> None:
        for pair in self._pairs:
            for writer in pair:
                _abort(writer)

    def _accept(self, near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._refuses:
            _abort(answer)
            return
        task = self._loop.create_task(self._connect(near, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            far, ask = await asyncio.open_connection(*self._to)
        except OSError:
            _abort(answer)
            return
        pair = (answer, ask)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pass_on(near, ask), self._pass_on(far, answer, back=True))
        finally:
            self._pairs.discard(pair)
            for writer in pair:
                writer.close()

    async def _pass_on(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, back: bool = False
    ) -> None:
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        writing = self._loop.create_task(self._write(late, to, back=back))
        try:
            with suppress(OSError):
                while data := await source.read(PIECE):
                    late.put_nowait((self._loop.time() + self._delay_s, data))
            late.put_nowait((self._loop.time() + self._delay_s, b""))
            with suppress(OSError, RuntimeError):  # uvloop's word for a transport that is closed
                await writing
        finally:
            writing.cancel()

    async def _write(
        self, late: asyncio.Queue[tuple[float, bytes]], to: asyncio.StreamWriter, *, back: bool
    ) -> None:
        while True:
            due, data = await late.get()
            if (wait_s := due - self._loop.time()) > 0:
                await asyncio.sleep(wait_s)
            await self._open.wait()
            if self._mute and back:
                if not data:
                    return  # its end is not told either
                continue
            if not data:
                to.close()
                return
            to.write(data)
            await to.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    """An RST, whatever is still to be written."""
    writer.transport.abort()


@contextmanager
def proxy_to(url: str) -> Iterator[Proxy]:
    """A proxy to the host and port of this URL."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Proxy(parts.hostname, parts.port)
    try:
        yield proxy
    finally:
        proxy.stop()


class HasPort(Protocol):
    @property
    def port(self) -> int: ...


def through(proxy: HasPort, url: str) -> str:
    """The URL, by way of the proxy."""
    parts = urlsplit(url)
    assert parts.port is not None
    return url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{proxy.port}", 1)
