"""Large bodies are taken few at a time, and only from those who send them in time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from config import bodies
from config.bodies import LARGE_AT_A_TIME, DiscardTooLarge

LARGE = b"1000000"


class Requests:
    """An application that holds each request until it is let go, and requests to it."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.messages: list[Any] = []
        self.let_go = asyncio.Event()
        self.sent: list[Any] = []
        self.app = DiscardTooLarge(self._hold)

    async def _hold(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.messages.append(await receive())
        await self.let_go.wait()
        self.inside -= 1

    def post(self, path: str, length: bytes, receive: Any = None) -> asyncio.Task[None]:
        scope = {"type": "http", "path": path, "headers": [(b"content-length", length)]}
        return asyncio.ensure_future(self.app(scope, receive or whole, self._send))

    async def _send(self, message: Any) -> None:
        self.sent.append(message)


async def whole() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def never() -> Any:
    await asyncio.Event().wait()


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - one turn of the loop at a time
            await asyncio.sleep(0)


async def test_no_more_than_a_few_large_bodies_are_inside_at_once():
    requests = Requests()
    sent = [requests.post("/sessions/", LARGE) for _ in range(20)]
    await until(lambda: requests.inside == LARGE_AT_A_TIME)
    requests.let_go.set()
    await asyncio.gather(*sent)
    assert requests.most == LARGE_AT_A_TIME
    assert len(requests.messages) == 20


async def test_small_bodies_do_not_wait_for_large_ones():
    requests = Requests()
    large = [requests.post("/sessions/", LARGE) for _ in range(20)]
    await until(lambda: requests.inside == LARGE_AT_A_TIME)
    small = [requests.post(path, b"100") for path in ("/sessions/", "/users/login/")]
    await until(lambda: requests.inside == LARGE_AT_A_TIME + 2)
    requests.let_go.set()
    await asyncio.gather(*large, *small)


async def test_who_sends_too_slowly_counts_as_gone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "LARGE_WITHIN_S", 0.01)
    requests = Requests()
    requests.let_go.set()
    await requests.post("/sessions/", LARGE, never)
    assert requests.messages == [{"type": "http.disconnect"}]
    assert requests.sent[0]["status"] == 408, "without an answer the server would say 500"
    assert b"too_slow" in requests.sent[1]["body"]


async def test_who_is_really_gone_is_told_nothing():
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    requests = Requests()
    requests.let_go.set()
    await requests.post("/sessions/", LARGE, gone)
    assert requests.sent == []


async def test_a_body_that_has_come_gives_its_request_all_the_time_it_needs(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(bodies, "LARGE_WITHIN_S", 0.0)
    messages = [{"type": "http.request", "more_body": False}, {"type": "told later"}]

    async def one_by_one() -> Any:
        for _ in range(0 if len(messages) == 2 else 5):
            await asyncio.sleep(0)  # the second takes longer than a body may
        return messages.pop(0)

    receive = bodies._InTime(one_by_one)
    assert (await receive())["type"] == "http.request"
    assert (await receive())["type"] == "told later"
