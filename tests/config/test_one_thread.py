"""How a request gets from the event loop to Django and back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from config.one_thread import LARGE, OneThread

PATIENCE_S = 10.0
seen: list[str] = []
go_on = threading.Event()


def noting(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """A middleware that can do nothing but be called."""

    def call(request: HttpRequest) -> HttpResponse:
        seen.append(threading.current_thread().name)
        return get_response(request)

    return call


def quick(request: HttpRequest) -> HttpResponse:
    seen.append(threading.current_thread().name)
    return HttpResponse(request.body or b"quick")


def slow(request: HttpRequest) -> HttpResponse:
    assert go_on.wait(PATIENCE_S)
    return HttpResponse(b"slow")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> Any:
        for part in (b"one ", b"two"):
            yield part

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("quick/", quick),
    path("users/login/", slow),
    path("sessions/", slow),
    path("stream/", stream),
]


@pytest.fixture
def app(settings: Any) -> OneThread:
    settings.ROOT_URLCONF = __name__
    settings.REST_THREADS = 1
    settings.MIDDLEWARE = [f"{__name__}.noting", *settings.MIDDLEWARE]
    seen.clear()
    go_on.clear()
    return OneThread()


async def ask(app: OneThread, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """The status and the body of the answer."""
    sent: list[Any] = []
    length = str(len(body)).encode()
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"content-length", length)],
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async with asyncio.timeout(PATIENCE_S):
        await app(scope, receive, send)
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])


async def test_a_request_is_answered_in_one_thread(app: OneThread) -> None:
    assert await ask(app, "GET", "/quick/") == (200, b"quick")
    middleware, view = seen
    assert middleware == view
    assert middleware.startswith("rest")


async def test_more_requests_than_threads_are_answered_in_turn(app: OneThread) -> None:
    answers = await asyncio.gather(*(ask(app, "GET", "/quick/") for _ in range(20)))
    assert answers == [(200, b"quick")] * 20
    assert len(set(seen)) == 1


@pytest.mark.parametrize(
    ("path", "body"), [("/users/login/", b"{}"), ("/sessions/", b" " * (LARGE + 1))]
)
async def test_who_waits_for_a_hash_or_a_picture_keeps_nobody_waiting(
    app: OneThread, path: str, body: bytes
) -> None:
    waiting = [asyncio.create_task(ask(app, "POST", path, body)) for _ in range(5)]
    await asyncio.sleep(0)
    try:
        assert await ask(app, "POST", "/quick/", b"small") == (200, b"small")
    finally:
        go_on.set()
    assert await asyncio.gather(*waiting) == [(200, b"slow")] * 5


async def test_a_streamed_answer_comes_whole(app: OneThread) -> None:
    assert await ask(app, "GET", "/stream/") == (200, b"one two")


async def test_a_request_that_breaks_off_is_forgotten(app: OneThread) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there")

    await app({"type": "http", "path": "/quick/", "headers": []}, receive, send)
    assert seen == []
