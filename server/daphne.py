"""Daphne as Space needs it. Importing this installs Twisted's reactor on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import defer, reactor

from realtime import health
from realtime.hub.drain import GONE_WITHIN_S, WRITTEN_WITHIN_S, drain
from realtime.protocol.limits import wire_budget
from realtime.sockets.consumer import CLOSED_WITHIN_S
from runtime.watchdog import gone_within
from server.uvicorn.websocket import FROM_UNAUTHENTICATED

MOST_UNSENT = 64 * 1024  # bytes of one socket; uvicorn's is the same
MOST_UNREAD = 64 * 1024  # bytes that come before the handshake is answered
MOST_WAITING = 8  # messages of one socket; then no more is read
TO_FINISH_S = 2.0  # requests that are being served when the server goes down
POLL_S = 0.05  # of a socket that is backed up


class WebSocket(WebSocketProtocol):  # type: ignore[misc]  # it has no types
    """One connection. Its frames of any kind are counted, as in `server/uvicorn/websocket.py`."""

    def onConnect(self, request: Any) -> Any:  # noqa: N802 -- autobahn's names, here and below
        self._budget = wire_budget(asyncio.get_running_loop().time)
        self._flooded = False
        self._polling = False
        self._at_most(min(FROM_UNAUTHENTICATED, self.maxMessagePayloadSize))
        return super().onConnect(request)

    def admitted(self) -> None:
        self._at_most(self.factory.maxMessagePayloadSize)

    def _at_most(self, size: int) -> None:
        self.maxMessagePayloadSize = self.maxFramePayloadSize = size

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self.state == self.STATE_CONNECTING and hasattr(self, "_budget"):
            # A client that sends before it is accepted: Autobahn would parse a second handshake.
            self.data += data
            if len(self.data) > MOST_UNREAD:
                self.transport.abortConnection()
        elif not self.__dict__.get("_flooded"):
            super().dataReceived(data)

    def onFrameBegin(self) -> None:  # noqa: N802
        if self._budget.spend():
            super().onFrameBegin()
            return
        self._flooded = True
        self.data = b""
        self.current_frame = None
        self.transport.pauseProducing()  # for good: the connection will be cut
        self.application_queue.put_nowait({"type": "space.flooded"})

    def processData(self) -> bool:  # noqa: N802
        more: bool = not self._flooded and super().processData()
        return more

    def onPing(self, payload: bytes) -> None:  # noqa: N802
        """Pongs do not pile up for a client that does not read them."""
        if not _unsent(self.transport):
            super().onPing(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        super().onMessage(payload, isBinary)
        if self.application_queue.qsize() >= MOST_WAITING and not self._polling:
            self._polling = True
            self.transport.pauseProducing()
            asyncio.get_running_loop().call_later(POLL_S, self._poll)

    def dropConnection(self, abort: bool = False) -> None:  # noqa: N802
        """Twisted would wait for ever for a client that does not read."""
        super().dropConnection(abort)
        asyncio.get_running_loop().call_later(CLOSED_WITHIN_S, self._abort)

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()

    def _poll(self) -> None:
        if self.application_queue.qsize() >= MOST_WAITING:
            asyncio.get_running_loop().call_later(POLL_S, self._poll)
            return
        self._polling = False
        if not self._flooded and self.transport is not None and self.transport.connected:
            self.transport.resumeProducing()


class Daphne(Server):  # type: ignore[misc]  # it has no types
    """Drains its sockets before it cancels their tasks, and notices clients that read slowly.

    `listeners`: sockets that listen already, instead of endpoints.
    """

    def __init__(
        self,
        on_check: Callable[[], object],
        on_started: Callable[[], object],
        listeners: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(ready_callable=self._ready, **options)
        self._on_check = on_check
        self._on_started = on_started
        self.ports: list[Any] = []
        self._listeners = listeners or []
        if listeners:
            self.endpoints: list[str] = []  # the base class wants some, and knows only IPv4 numbers

    def run(self) -> None:
        WebSocketFactory.protocol = WebSocket
        super().run()

    def _ready(self) -> None:
        self._adopt()
        # Once the loop runs: the watchdog is the running loop's.
        loop = asyncio.get_event_loop()
        loop.call_soon(health.watch, self._on_check)
        loop.call_soon(self._on_started)

    def _adopt(self) -> None:
        for listener in self._listeners:
            port = reactor.adoptStreamPort(listener.fileno(), listener.family, self.http_factory)
            self.ports.append(port)
            listener.close()  # Twisted has a copy

    def listen_success(self, port: Any) -> None:
        super().listen_success(port)
        self.ports.append(port)

    def listen_error(self, failure: Any) -> None:
        super().listen_error(failure)
        self.failure = failure.getErrorMessage()

    # -- slow readers ----------------------------------------------------------------------------

    def create_application(self, protocol: Any, scope: Any) -> Any:
        if scope["type"] == "websocket":
            # As in `server/uvicorn/websocket.py`, which gives the reasons.
            scope["extensions"] = {
                "space.transport": _Transport(protocol),
                "space.admitted": protocol.admitted,
            }
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Twisted accepts any amount of data. So the sender waits here for a client that reads."""
        if message["type"] != "websocket.send":
            await super().handle_reply(protocol, message)
        elif protocol.state == protocol.STATE_OPEN:
            # Not by its `sendMessage`, which applies the limit of incoming messages.
            protocol.sendFrame(opcode=1, payload=message["text"].encode())
            while _unsent(protocol.transport) > MOST_UNSENT:  # noqa: ASYNC110 -- it has no event
                await asyncio.sleep(POLL_S)

    # -- draining --------------------------------------------------------------------------------

    def kill_all_applications(self) -> Any:
        gone_within(GONE_WITHIN_S)
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._go_down()))

    async def _go_down(self) -> None:
        await drain()
        for port in self.ports:
            port.stopListening()
        await asyncio.sleep(WRITTEN_WITHIN_S)  # requests on accepted connections are still read
        if requests := self._working(WebRequest):
            await asyncio.wait(requests, timeout=TO_FINISH_S)
            await asyncio.sleep(WRITTEN_WITHIN_S)
        tasks = self._working(object)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        health.unwatch()

    def _working(self, kind: type) -> list[Any]:
        """The tasks that serve connections of this kind."""
        all_of_them = [
            known["application_instance"]
            for protocol, known in self.connections.items()
            if isinstance(protocol, kind) and "application_instance" in known
        ]
        return [task for task in all_of_them if not task.done()]


class _Transport:
    """Twisted's transport under the names of asyncio's, for whole unmasked frames."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return bool(self._protocol.state != self._protocol.STATE_OPEN)

    def get_write_buffer_size(self) -> int:
        """Bytes that wait; 0 up to `MOST_UNSENT`, which Twisted holds in passing."""
        waiting = _unsent(self._protocol.transport)
        return waiting if waiting > MOST_UNSENT else 0

    def write(self, data: bytes) -> None:
        """Without a round through the reactor, where nothing waits."""
        transport = self._protocol.transport
        sent = 0 if _unsent(transport) else transport.writeSomeData(data)
        if isinstance(sent, int) and sent < len(data):  # else an exception: the connection is lost
            transport.write(data[sent:])

    def abort(self) -> None:
        if self._protocol.transport is not None:
            self._protocol.transport.abortConnection()


def _unsent(transport: Any) -> int:
    """Bytes that wait in the process; 0 for a closed connection. Twisted has no public name."""
    if transport is None or not transport.connected:
        return 0
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
