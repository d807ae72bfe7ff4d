"""A WebSocket of uvicorn that can do two things more, for whom it serves (`scope["extensions"]`).

`space.cut` ends the connection at once: towards a client that does not read, a close is never
written. `space.write` sends a ready-made frame with one system call, and without a coroutine: a
tick goes to thousands of sockets, and the way through `send()` costs as much as the call itself.
"""

from __future__ import annotations

import random
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class WebSocket(WebSocketsSansIOProtocol):
    """One connection."""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not hasattr(self, "scope"):  # the handshake was none
            return
        extensions: Any = self.scope["extensions"]
        extensions["space.cut"] = self.transport.abort
        extensions["space.write"] = self.write

    def write(self, frame: bytes) -> bool:
        """Sends a whole unmasked frame now. False, and nothing is sent, if others still wait.

        Where the connection is closing there is nobody to tell any more: True.
        """
        transport = self.transport
        if self.close_sent or self.disconnected or transport.is_closing():
            return True
        if transport.get_write_buffer_size():
            return False
        transport.write(frame)
        return True

    def send_keepalive_ping(self) -> None:
        """uvicorn's, with the frame made by hand: every socket has one each 20 s."""
        self.ping_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        payload = random.randbytes(4)  # noqa: S311 -- only tells one pong from another
        self.pending_ping_payload = payload
        self.ping_sent_at = self.loop.time()
        self.transport.write(b"\x89\x04" + payload)
        if self.ping_timeout is None:
            self.schedule_ping()
        else:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
