"""The check of frames and answers against the API documents can fail."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from realtime.protocol import messages
from tests.support.contract import (
    FROM_CLIENT,
    FROM_SERVER,
    NotAsDocumented,
    check_answer,
    check_frame,
)

PONG = {"type": "pong", "id": "p", "client_time": 1.5, "server_received": 2.0, "server_sent": 3.0}
HEARTBEAT = {"type": "heartbeat", "server_time": "2026-11-22T16:34:21.912000Z"}
REFUSAL = {"error": "No.", "code": "not_found", "detail": "No.", "request_id": "1"}


def without(frame: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in frame.items() if name != key}


@pytest.mark.parametrize("frame", [PONG, PONG | {"id": None}, HEARTBEAT])
def test_a_frame_that_is_documented_passes(frame: dict[str, Any]) -> None:
    check_frame(json.dumps(frame), FROM_SERVER)


@pytest.mark.parametrize(
    "frame",
    [
        without(PONG, "server_sent"),
        PONG | {"server_sent": "3"},
        PONG | {"unheard": "of"},
        PONG | {"type": "ping"},
        HEARTBEAT | {"server_time": "2026-11-22T16:34:21"},  # no zone
        HEARTBEAT | {"server_time": "now"},
        [],
    ],
)
def test_a_wrong_frame_is_caught(frame: Any) -> None:
    with pytest.raises(NotAsDocumented):
        check_frame(json.dumps(frame), FROM_SERVER)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "body"),
    [
        ("GET", "/sessions/", 200, "application/json", [{"id": 7}]),
        ("GET", "/sessions/7/", 204, "application/json", {}),
        ("GET", "/sessions/7/", 404, "text/html", REFUSAL),
        ("GET", "/sessions/7/", 404, "application/json", without(REFUSAL, "code")),
        ("PATCH", "/spaces/", 405, "application/json", without(REFUSAL, "request_id")),
    ],
)
def test_a_wrong_answer_is_caught(
    method: str, path: str, status: int, kind: str, body: Any
) -> None:
    with pytest.raises(NotAsDocumented):
        check_answer(method, path, status, kind, json.dumps(body).encode())


def test_a_refusal_that_is_documented_passes() -> None:
    check_answer("GET", "/sessions/7/", 404, "application/json", json.dumps(REFUSAL).encode())


def test_the_server_understands_no_more_than_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    lax = msgspec.json.Decoder(messages.Inbound, strict=False)  # "5" would be a number
    monkeypatch.setattr(messages, "_decoder", lax)
    with pytest.raises(NotAsDocumented):
        messages.decode('{"type": "ping", "client_time": "5"}')
    check_frame('{"type": "ping", "client_time": 5}', FROM_CLIENT)
