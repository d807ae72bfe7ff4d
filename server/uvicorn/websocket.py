"""uvicorn's WebSocket, for thousands of sockets on one loop and for hostile clients.

- The application gets the transport (`scope["extensions"]["space.transport"]`). Towards a client
  that does not read, a close is never written, so the application must be able to cut the
  connection. And a tick is sent to thousands of sockets, where the way through `send()` costs as
  much as the system call itself (`realtime/delivery/outbox.py`).
- Data is parsed in small pieces, and no further than the application asks for. One read may bring
  256 KB: these are 40,000 empty frames, and would hold the loop for a third of a second.
- Frames of any kind are counted. A client that sends far too many is not read any more, and the
  application receives `space.flooded`.
"""

from __future__ import annotations

import random
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from realtime.protocol.limits import wire_budget
from server.uvicorn.timer_wheel import TimerWheel

PIECE = 4 * 1024  # bytes: at most 700 frames, some milliseconds
NO_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
FROM_UNAUTHENTICATED = 16 * 1024  # bytes of one message, until the application knows its user


class WebSocket(WebSocketsSansIOProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unread = b""
        self._budget = wire_budget(self.loop.time)
        self._flooded = False
        self.conn.max_message_size = min(FROM_UNAUTHENTICATED, self.config.ws_max_size)

    # -- receiving -------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if not self._flooded:
            self._unread += data
            self._read_on()

    def _read_on(self) -> None:
        """Parses the data that has come until there is something for the application to do."""
        while self._unread and not self.read_paused and not self.transport.is_closing():
            if self.handshake_initiated and not self.handshake_complete:
                # A client that sends before it is accepted would make the library fail: its
                # frames are read afterwards.
                self.transport.pause_reading()
                return
            piece, self._unread = self._unread[:PIECE], self._unread[PIECE:]
            try:
                super().data_received(piece)
            except InvalidState:  # text that is not UTF-8, and a close in the same piece
                self.transport.close()
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self._no_handshake()

    def handle_events(self) -> None:
        if self._budget.spend(len(self.conn.events)):
            super().handle_events()
        else:
            self._flood()

    def _flood(self) -> None:
        self._flooded = True
        self._unread, self.frames = b"", []
        self.conn.events_received()
        self.conn.data_to_send()
        self.transport.pause_reading()
        self.read_paused = False  # so that nothing resumes it: the connection will be cut
        flooded: Any = {"type": "space.flooded"}
        self.queue.put_nowait(flooded)

    def _no_handshake(self) -> None:
        """uvicorn waits for ever for a handshake that the library has refused."""
        self.handshake_complete = self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()) or NO_HANDSHAKE)
        self.transport.close()

    async def receive(self) -> Any:
        """As uvicorn's, but data that was read already is parsed before more is read."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._read_on()
            if not self.read_paused and not self._flooded:
                self.transport.resume_reading()
        return message

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not hasattr(self, "scope"):  # the handshake failed
            return
        extensions: Any = self.scope["extensions"]
        extensions["space.transport"] = self.transport
        extensions["space.admitted"] = self._admitted

    def _admitted(self) -> None:
        self.conn.max_message_size = self.config.ws_max_size

    def handle_ping(self) -> None:
        """Pongs do not pile up for a client that does not read them."""
        pong = b"".join(self.conn.data_to_send())
        if not self.transport.get_write_buffer_size():
            self.transport.write(pong)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # Cuts the references back to this object. The cycle would stay until the garbage collector
        # runs, which is seldom (`garbage_collection.py`), so a client that reconnects again and
        # again would fill the memory.
        self.conn.parser.close()
        if hasattr(self, "scope"):
            self.scope["extensions"] = {}

    # -- pings -----------------------------------------------------------------------------------

    def start_keepalive(self) -> None:
        """The application accepted the socket."""
        self.loop.call_soon(self._read_on_after_handshake)
        if self.ping_interval:
            TimerWheel.of(self.loop, self.ping_interval).add(self)

    def _read_on_after_handshake(self) -> None:
        del self.request, self.response  # some KB that are not needed any more
        self._read_on()
        if not self.read_paused and not self._flooded:
            self.transport.resume_reading()

    def stop_keepalive(self) -> None:
        if self.ping_interval:
            TimerWheel.of(self.loop, self.ping_interval).discard(self)
        self.pending_ping_payload = None

    def check_progress(self) -> None:
        """Sends a ping. Where the last one still waits for its pong, closes the socket."""
        if self.close_sent or self.transport.is_closing():
            return
        now = self.loop.time()
        if self.pending_ping_payload is None:
            payload = random.randbytes(4)  # noqa: S311 -- only tells one pong from another
            self.pending_ping_payload = payload
            self.ping_sent_at = now
            self.transport.write(b"\x89\x04" + payload)
        elif self.ping_timeout is not None and now - self.ping_sent_at >= self.ping_timeout * 0.99:
            self.keepalive_timeout()
