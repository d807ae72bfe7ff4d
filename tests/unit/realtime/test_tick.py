"""A tick is framed once, as any WebSocket client reads it."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from realtime.clock import at_ms
from realtime.delivery.tick import Ticks, text_frame
from realtime.protocol.messages import SessionTick


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_frame_of_any_length_is_read_back(length: int) -> None:
    payload = b"x" * length
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN)
    client.receive_data(text_frame(payload))
    assert client.events_received() == [Frame(Opcode.TEXT, payload)]


def test_a_tick_is_the_same_in_a_frame_and_in_a_message() -> None:
    tick = Ticks(session=7, version=12, ends_at_ms=1_800_000_059_250).tick(59_000)
    assert json.loads(tick.text) == {
        "type": "session.tick",
        "session": 7,
        "version": 12,
        "remaining_ms": 59_000,
        "server_time": "2027-01-15T08:00:00.250000Z",
    }
    assert tick.frame == text_frame(tick.text)
    assert tick.message == {"type": "websocket.send", "text": tick.text.decode()}


@given(
    session=st.integers(0, 2**63 - 1),
    version=st.integers(1, 2**31),
    ends_at_ms=st.integers(0, 32_503_680_000_000),  # the year 3000
    remaining_s=st.integers(0, 172_800),
)
@example(session=0, version=1, ends_at_ms=1_800_000_000_000, remaining_s=0)
@example(session=10, version=10, ends_at_ms=1_800_000_000_001, remaining_s=10)
def test_a_tick_is_what_its_type_would_encode(
    session: int, version: int, ends_at_ms: int, remaining_s: int
) -> None:
    remaining_ms = remaining_s * 1_000
    assume(ends_at_ms >= remaining_ms)
    said = SessionTick(
        session=session,
        version=version,
        remaining_ms=remaining_ms,
        server_time=at_ms(ends_at_ms - remaining_ms),
    )
    assert Ticks(session, version, ends_at_ms).tick(remaining_ms).text == said.as_bytes()
