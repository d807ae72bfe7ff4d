"""A WebSocket of uvicorn that can do two things more, for whom it serves (`scope["extensions"]`).

`space.cut` ends the connection at once: towards a client that does not read, a close is never
written. `space.write` sends a ready-made frame with one system call, and without a coroutine: a
tick goes to thousands of sockets, and the way through `send()` costs as much as the call itself.
"""

from __future__ import annotations

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
