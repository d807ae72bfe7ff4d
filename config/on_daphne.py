"""Daphne as Space needs it. Importing this installs Twisted's reactor on asyncio."""

from __future__ import annotations

import asyncio
from typing import Any

from daphne.server import Server
from twisted.internet import defer, reactor

from realtime.drain import drain

MOST_UNSENT = 64 * 1024  # bytes of one socket; uvicorn's is the same
GLANCE_S = 0.05  # between two looks at a socket that is backed up


class Daphne(Server):  # type: ignore[misc]  # it has no types
    """Tells its sockets before it cancels what serves them, and knows when a client reads slowly.

    `listeners`: sockets that listen already, instead of endpoints.
    """

    def __init__(self, listeners: Any = None, **options: Any) -> None:
        super().__init__(ready_callable=self._adopt, **options)
        self.ports: list[Any] = []
        self._listeners = listeners or []
        if listeners:
            self.endpoints: list[str] = []  # it insists on some, and knows only IPv4 by number

    def _adopt(self) -> None:
        for listener in self._listeners:
            port = reactor.adoptStreamPort(listener.fileno(), listener.family, self.http_factory)
            self.ports.append(port)
            listener.close()  # Twisted has made its own of it

    def listen_success(self, port: Any) -> None:
        super().listen_success(port)
        self.ports.append(port)

    def listen_error(self, failure: Any) -> None:
        super().listen_error(failure)
        self.failure = failure.getErrorMessage()

    # -- slow readers ----------------------------------------------------------------------------

    def create_application(self, protocol: Any, scope: Any) -> Any:
        if scope["type"] == "websocket":
            # As `config/websocket.py`, which says why.
            scope["extensions"] = {"space.transport": _Transport(protocol)}
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Twisted takes whatever it is given. So who sends waits here for a client that reads."""
        if message["type"] != "websocket.send":
            await super().handle_reply(protocol, message)
        elif protocol.state == protocol.STATE_OPEN:
            # Not by its `sendMessage`, which holds what we send to the limit of what we read.
            protocol.sendFrame(opcode=1, payload=message["text"].encode())
            while _unsent(protocol.transport) > MOST_UNSENT:  # noqa: ASYNC110 -- it tells nobody
                await asyncio.sleep(GLANCE_S)

    # -- going down ------------------------------------------------------------------------------

    def kill_all_applications(self) -> Any:
        for port in self.ports:
            port.stopListening()
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._go_down()))

    async def _go_down(self) -> None:
        await drain()
        tasks = [
            c["application_instance"]
            for c in self.connections.values()
            if "application_instance" in c
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Transport:
    """Twisted's, with the names that asyncio's has, for whole unmasked frames."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return bool(self._protocol.state != self._protocol.STATE_OPEN)

    def get_write_buffer_size(self) -> int:
        """Bytes that wait, where they are more than Twisted has in passing."""
        waiting = _unsent(self._protocol.transport)
        return waiting if waiting > MOST_UNSENT else 0

    def write(self, data: bytes) -> None:
        """At once, without a round through the reactor, where nothing waits."""
        transport = self._protocol.transport
        sent = 0 if _unsent(transport) else transport.writeSomeData(data)
        if isinstance(sent, int) and sent < len(data):  # else an exception: the connection is lost
            transport.write(data[sent:])

    def abort(self) -> None:
        self._protocol.transport.abortConnection()


def _unsent(transport: Any) -> int:
    """Bytes that wait in the process; none of a connection that is gone. Twisted has no name for
    it."""
    if transport is None or not transport.connected:
        return 0
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
