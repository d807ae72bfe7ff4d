"""A tick as it is sent: encoded once for all devices of a session, framed once for all sockets."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from realtime.clock import at_ms
from realtime.protocol.messages import SessionTick

SECOND = 1_000  # ms


class Tick:
    """The JSON of a `session.tick`, and the frame that holds it."""

    __slots__ = ("_message", "frame", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.frame = text_frame(text)
        self._message: dict[str, Any] | None = None

    @property
    def message(self) -> dict[str, Any]:
        """The same for a server's `send()`."""
        if self._message is None:
            self._message = {"type": "websocket.send", "text": self.text.decode()}
        return self._message


class Ticks:
    """The ticks of one session, version and deadline (ms since 1970, by the database's clock).

    They differ in `remaining_ms` and in the second of `server_time`. The rest is encoded once, and
    the text of a second is shared by all sessions. That is a fifth of the cost of encoding each.
    """

    __slots__ = ("_between", "_ends_at_ms", "_head", "_tail")

    def __init__(self, session: int, version: int, ends_at_ms: int) -> None:
        self._ends_at_ms = ends_at_ms
        of_1970 = SessionTick(
            session=session, version=version, remaining_ms=0, server_time=at_ms(ends_at_ms % SECOND)
        ).as_bytes()
        before, second, self._tail = of_1970.partition(_second(0))
        assert second
        self._head, zero, self._between = before.rpartition(b"0")
        assert zero

    def tick(self, remaining_ms: int) -> Tick:
        """The tick of a whole second: `remaining_ms` is a multiple of 1,000."""
        second = _second((self._ends_at_ms - remaining_ms) // SECOND)
        return Tick(b"%b%d%b%b%b" % (self._head, remaining_ms, self._between, second, self._tail))


@lru_cache(maxsize=8)
def _second(of_1970: int) -> bytes:
    return at_ms(of_1970 * SECOND).strftime("%Y-%m-%dT%H:%M:%S").encode()


def text_frame(payload: bytes) -> bytes:
    """A whole text frame of a server: unmasked, in one piece (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2) + payload
    return b"\x81\x7f" + length.to_bytes(8) + payload
