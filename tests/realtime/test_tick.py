"""A tick is framed once, as any WebSocket client reads it."""

from __future__ import annotations

import json

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from realtime.tick import Tick, text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_frame_of_any_length_is_read_as_what_went_in(length: int) -> None:
    payload = b"x" * length
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN)
    client.receive_data(text_frame(payload))
    assert client.events_received() == [Frame(Opcode.TEXT, payload)]


def test_a_tick_says_the_same_in_a_frame_and_in_a_message() -> None:
    tick = Tick(session=7, version=12, remaining_ms=59_000, at=1_800_000_000_250)
    assert json.loads(tick.text) == {
        "type": "session.tick",
        "session": 7,
        "version": 12,
        "remaining_ms": 59_000,
        "server_time": "2027-01-15T08:00:00.250000Z",
    }
    assert tick.frame == text_frame(tick.text)
    assert tick.message == {"type": "websocket.send", "text": tick.text.decode()}
