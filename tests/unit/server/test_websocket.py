"""The additions of our WebSocket to that of uvicorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from realtime.delivery.outbox import Outbox, put_tick
from realtime.delivery.tick import Ticks, text_frame
from server.uvicorn.websocket import WebSocket

SMALL = 4096  # bytes: what a connection holds that is not read


class Served:
    """An application that publishes its scopes, and waits until the client closes."""

    def __init__(self) -> None:
        self.scopes: asyncio.Queue[Any] = asyncio.Queue()
        self.url = ""

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.scopes.put_nowait(scope)
        while (await receive())["type"] != "websocket.disconnect":
            continue


@asynccontextmanager
async def serving(**more: Any) -> AsyncIterator[Served]:
    served = Served()
    config = uvicorn.Config(
        served.app,
        interface="asgi3",
        ws=WebSocket,
        lifespan="off",
        log_config=None,
        loop="uvloop",
        **more,
    )
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        listener.bind(("127.0.0.1", 0))
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup([listener])
        served.url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        try:
            yield served
        finally:
            await server.shutdown()


async def test_a_ready_made_frame_is_read_as_a_message() -> None:
    async with serving() as served, connect(served.url, compression=None) as client:
        transport = (await served.scopes.get())["extensions"]["space.transport"]
        for length in (1, 125, 126, 70_000):
            transport.write(text_frame(b"x" * length))
            async with asyncio.timeout(5):
                assert await received(client) == "x" * length


async def test_ticks_for_a_client_that_does_not_read_are_dropped_whole() -> None:
    async with (
        serving() as served,
        connect(served.url, compression=None, sock=_narrow(served)) as client,
    ):
        transport = (await served.scopes.get())["extensions"]["space.transport"]
        client.transport.pause_reading()
        tick = Ticks(session=7, version=2, ends_at_ms=1_800_000_001_250).tick(1_000)
        outbox = Outbox(_never, lambda: None, transport)
        sent = dropped = 0
        while dropped < 5:
            got = put_tick([outbox], tick, 0.0)
            sent, dropped = sent + got, dropped + 1 - got
        assert transport.get_write_buffer_size() <= len(tick.frame)
        client.transport.resume_reading()
        async with asyncio.timeout(10):
            for _ in range(sent):  # whole ones, and nothing of the others
                assert await received(client) == tick.text.decode()


async def test_the_transport_of_a_gone_client_is_closing() -> None:
    async with serving() as served, connect(served.url, compression=None) as client:
        transport = (await served.scopes.get())["extensions"]["space.transport"]
        assert not transport.is_closing()
        transport.abort()
        assert transport.is_closing()
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(5):
                await received(client)
        assert transport.is_closing()
        assert transport.get_write_buffer_size() == 0


async def _never(message: Any) -> None:
    raise AssertionError(message)


async def test_a_client_that_answers_pings_stays() -> None:
    async with serving(ws_ping_interval=0.02, ws_ping_timeout=5) as served, quiet(served) as client:
        pings = seen(client, answers=True)
        async with asyncio.timeout(5):
            payloads = {await pings.get() for _ in range(5)}
        assert len(payloads) == 5  # each with a payload of its own
        assert {len(payload) for payload in payloads} == {4}


async def test_a_client_that_does_not_answer_pings_is_closed() -> None:
    async with (
        serving(ws_ping_interval=0.02, ws_ping_timeout=0.05) as served,
        quiet(served) as client,
    ):
        seen(client, answers=False)
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(5):
                await received(client)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011


def quiet(served: Served) -> connect:
    """A client that sends no pings of its own."""
    return connect(served.url, compression=None, ping_interval=None)


def seen(client: ClientConnection, *, answers: bool) -> asyncio.Queue[bytes]:
    """The payloads of the pings that come from now on, and whether they are answered."""
    pings: asyncio.Queue[bytes] = asyncio.Queue()
    usual = client.protocol.recv_frame

    def recv_frame(frame: Frame) -> None:
        if frame.opcode == Opcode.PING:
            pings.put_nowait(bytes(frame.data))
            if not answers:
                return
        usual(frame)

    client.protocol.recv_frame = recv_frame  # type: ignore[method-assign]
    return pings


async def received(client: ClientConnection) -> str:
    """The next message, which need not be one of ours."""
    return "".join([str(part) async for part in client.recv_streaming()])


def _narrow(served: Served) -> socket.socket:
    """A connection that holds little which is not read."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    narrow.connect(("127.0.0.1", int(served.url.rsplit(":", 1)[1].rstrip("/"))))
    narrow.setblocking(False)
    return narrow
