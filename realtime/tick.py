"""A tick as it is sent: encoded once for all devices of a session, framed once for all sockets."""

from __future__ import annotations

from typing import Any

from realtime.clock import at_ms
from realtime.messages import SessionTick


class Tick:
    """`remaining_ms` are left of the session at `at` (ms since 1970, by the database's clock)."""

    __slots__ = ("_message", "frame", "text")

    def __init__(self, session: int, version: int, remaining_ms: int, at: int) -> None:
        tick = SessionTick(
            session=session, version=version, remaining_ms=remaining_ms, server_time=at_ms(at)
        )
        self.text = tick.as_bytes()
        self.frame = text_frame(self.text)
        self._message: dict[str, Any] | None = None

    @property
    def message(self) -> dict[str, Any]:
        """The same for a server's `send()`."""
        if self._message is None:
            self._message = {"type": "websocket.send", "text": self.text.decode()}
        return self._message


def text_frame(payload: bytes) -> bytes:
    """A whole text frame of a server: unmasked, in one piece (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2) + payload
    return b"\x81\x7f" + length.to_bytes(8) + payload
