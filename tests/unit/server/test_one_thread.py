"""How a request gets from the event loop to Django and back."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from accounts import password_hashing
from accounts.auth.tokens import AccessToken
from config.variables import Environment
from runtime import deadline
from server.asgi import django_handler
from server.asgi.django_handler import LARGE, MOST_UNREAD, DjangoHandler

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


def hashing_takes_turns(request: HttpRequest) -> HttpResponse:
    with password_hashing._slot():
        time.sleep(0)  # lets another thread in
    return HttpResponse(b"hashed")


def hurried(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(deadline.left()).encode())


def stream(request: HttpRequest) -> StreamingHttpResponse:
    closed.clear()
    return StreamingHttpResponse(Parts())


urlpatterns = [
    path("quick/", quick),
    path("hurried/", hurried),
    path("users/login/", slow),
    path("users/signup/", hashing_takes_turns),
    path("users/token/refresh/", quick),
    path("sessions/", slow),
    path("stream/", stream),
]


closed: list[str] = []


class Parts:
    """What a streamed answer is made of. It may hold a file."""

    async def __aiter__(self) -> Any:
        yield b"one "
        yield b"two"

    def close(self) -> None:
        closed.append("parts")


@pytest.fixture
def app(settings: Any) -> DjangoHandler:
    settings.ROOT_URLCONF = __name__
    settings.REST_THREADS = 1
    settings.MIDDLEWARE = [f"{__name__}.noting", *settings.MIDDLEWARE]
    seen.clear()
    go_on.clear()
    return DjangoHandler()


async def ask(app: DjangoHandler, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """The status and the body of the answer."""
    sent = await messages(app, method, path, body)
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])


async def messages(
    app: DjangoHandler,
    method: str,
    path: str,
    body: bytes = b"",
    address: str = "10.0.0.1",
    read: asyncio.Event | None = None,
    **headers: bytes,
) -> list[Any]:
    """What is sent. `read`: when the client begins to read what comes after the headers."""
    sent: list[Any] = []
    length = str(len(body)).encode()
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [
            (b"host", b"testserver"),
            (b"content-length", length),
            *((name.replace("_", "-").encode(), value) for name, value in headers.items()),
        ],
        "client": (address, 1),
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if read is not None and message["type"] == "http.response.body":
            await read.wait()
        sent.append(message)

    async with asyncio.timeout(PATIENCE_S):
        await app(scope, receive, send)
    return sent


async def test_a_request_is_answered_in_one_thread(app: DjangoHandler) -> None:
    assert await ask(app, "GET", "/quick/") == (200, b"quick")
    middleware, view = seen
    assert middleware == view
    assert middleware.startswith("rest")


async def test_a_stream_whose_client_has_gone_is_closed(app: DjangoHandler) -> None:
    never = asyncio.Event()
    reading = asyncio.create_task(messages(app, "GET", "/stream/", read=never))
    async with asyncio.timeout(PATIENCE_S):
        while not seen or app._unread == {}:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert closed == ["parts"]


async def test_more_requests_than_threads_are_answered_in_turn(app: DjangoHandler) -> None:
    answers = await asyncio.gather(*(ask(app, "GET", "/quick/") for _ in range(20)))
    assert answers == [(200, b"quick")] * 20
    assert len(set(seen)) == 1


@pytest.mark.parametrize(
    ("path", "body"), [("/users/login/", b"{}"), ("/sessions/", b" " * (LARGE + 1))]
)
async def test_who_waits_for_a_hash_or_a_picture_keeps_nobody_waiting(
    app: DjangoHandler, path: str, body: bytes
) -> None:
    waiting = [asyncio.create_task(ask(app, "POST", path, body)) for _ in range(5)]
    await asyncio.sleep(0)
    try:
        assert await ask(app, "POST", "/quick/", b"small") == (200, b"small")
    finally:
        go_on.set()
    assert await asyncio.gather(*waiting) == [(200, b"slow")] * 5


async def test_a_streamed_answer_comes_whole(app: DjangoHandler) -> None:
    assert await ask(app, "GET", "/stream/") == (200, b"one two")


async def test_a_request_that_breaks_off_is_forgotten(app: DjangoHandler) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there")

    await app({"type": "http", "path": "/quick/", "headers": []}, receive, send)
    assert seen == []


# -- the line before the threads -----------------------------------------------------------------


@pytest.fixture
def short_line(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    monkeypatch.setattr(django_handler, "PATIENT_THREADS", 2)
    monkeypatch.setattr(django_handler, "PATIENT_SHARE", 2)
    monkeypatch.setattr(django_handler, "PATIENT_QUEUE", 4)


async def test_where_the_line_is_full_the_answer_comes_at_once_and_without_a_thread(
    short_line: None, app: DjangoHandler
) -> None:
    def log_in(number: int) -> Any:
        origin = {"origin": b"https://app.example", "x_request_id": b"mine"}
        return messages(app, "POST", "/users/login/", address=f"10.0.0.{number}", **origin)

    waiting = [asyncio.create_task(log_in(number)) for number in range(6)]
    await until(lambda: app._patient.semaphore.waiting == 4)
    try:
        start, body = await log_in(7)
        quick = await ask(app, "GET", "/quick/")
    finally:
        go_on.set()
    headers = dict(start["headers"])
    error = json.loads(body["body"])
    assert (start["status"], error["code"], headers[b"retry-after"]) == (503, "unavailable", b"5")
    assert (error["request_id"], headers[b"x-request-id"]) == ("mine", b"mine")
    assert headers[b"access-control-allow-origin"] == b"https://app.example"
    assert quick == (200, b"quick"), "others have threads of their own"
    assert [sent[0]["status"] for sent in await asyncio.gather(*waiting)] == [200] * 6


async def test_a_refresh_stands_behind_nobody_who_logs_in(
    short_line: None, app: DjangoHandler
) -> None:
    class_of_six = [asyncio.create_task(ask(app, "POST", "/users/login/")) for _ in range(6)]
    await until(lambda: app._patient.semaphore.waiting == 2)
    try:
        assert await ask(app, "POST", "/users/token/refresh/", b"{}") == (200, b"{}")
    finally:
        go_on.set()
    await asyncio.gather(*class_of_six)


async def test_one_address_cannot_fill_the_line(short_line: None, app: DjangoHandler) -> None:
    def log_in(address: str) -> Any:
        return asyncio.create_task(messages(app, "POST", "/users/login/", address=address))

    flood = [log_in("10.0.0.1") for _ in range(10)]
    await until(lambda: sum(one.done() for one in flood) == 6)
    assert {one.result()[0]["status"] for one in flood if one.done()} == {429}
    other = log_in("10.0.0.2")
    await until(lambda: app._patient.semaphore.waiting == 3)
    go_on.set()
    assert (await other)[0]["status"] == 200
    await asyncio.gather(*flood)


async def test_a_class_behind_one_address_is_hashed_to_the_last(
    app: DjangoHandler, settings: Any
) -> None:
    """With the limit of production: who may have a thread may also wait for a hash."""
    most = Environment.LIMIT_WAITING_PER_ADDRESS.default
    settings.LIMIT_WAITING_PER_ADDRESS = most
    assert most >= django_handler.PATIENT_SHARE - password_hashing.AT_A_TIME
    answers = await asyncio.gather(*(ask(app, "POST", "/users/signup/") for _ in range(60)))
    assert answers == [(200, b"hashed")] * 60


async def test_a_thread_knows_how_long_it_may_take(app: DjangoHandler) -> None:
    _, left = await ask(app, "GET", "/hurried/")
    assert 0 < float(left) <= django_handler.WORK_S


async def test_the_time_in_line_is_taken_from_the_time_for_the_work(
    app: DjangoHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work = [asyncio.create_task(ask(app, "GET", "/sessions/")) for _ in range(1)]
    await until(lambda: app._quick.semaphore.in_use == 1)
    waiting = asyncio.create_task(ask(app, "GET", "/hurried/"))
    await until(lambda: app._quick.semaphore.waiting == 1)
    await asyncio.sleep(0.05)
    go_on.set()
    _, left = await waiting
    assert float(left) <= django_handler.WORK_S - 0.05
    await asyncio.gather(*at_work)


async def test_who_is_not_answered_in_time_is_told_so_and_the_turn_lasts_as_long_as_the_work(
    app: DjangoHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(django_handler, "ANSWER_S", 0.05)
    start, body = await messages(app, "GET", "/sessions/")
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"5")
    assert json.loads(body["body"])["code"] == "unavailable"
    assert app._quick.semaphore.in_use == 1, "another in this thread would only wait for it"
    go_on.set()
    await until(lambda: app._quick.semaphore.in_use == 0)
    monkeypatch.undo()
    assert await ask(app, "GET", "/quick/") == (200, b"quick")


async def test_a_user_who_reads_no_answer_gets_no_more_of_them(app: DjangoHandler) -> None:
    made = AccessToken()
    made.payload |= {"jti": "j", "user_id": "7", "login": 1}
    bearer = {"authorization": f"Bearer {made}".encode()}
    read = asyncio.Event()
    ask_and_not_read = [
        asyncio.create_task(messages(app, "GET", "/quick/", read=read, **bearer))
        for _ in range(MOST_UNREAD)
    ]
    await until(lambda: app._unread.total() == MOST_UNREAD)
    refused = await messages(app, "GET", "/quick/", **bearer)
    assert (refused[0]["status"], json.loads(refused[1]["body"])["code"]) == (429, "throttled")
    assert await ask(app, "GET", "/quick/") == (200, b"quick")
    read.set()
    await asyncio.gather(*ask_and_not_read)
    assert (await messages(app, "GET", "/quick/", **bearer))[0]["status"] == 200
    assert app._unread == {}


async def test_one_user_gets_only_some_of_the_threads(app: DjangoHandler, settings: Any) -> None:
    assert django_handler._share_of_a_user(7) == django_handler.USER_SHARE
    assert django_handler._share_of_a_user("10.0.0.1") == settings.REST_THREADS, (
        "it may be a school"
    )


async def test_large_bodies_are_worked_on_few_at_a_time_and_one_of_a_user(
    app: DjangoHandler,
) -> None:
    body = b" " * (settings.BODY_LIMIT + 1)
    sent = [asyncio.create_task(ask(app, "POST", "/sessions/", body)) for _ in range(5)]
    await until(lambda: app._large.semaphore.waiting == 4)
    assert app._large.semaphore.in_use == 1
    go_on.set()
    assert await asyncio.gather(*sent) == [(200, b"slow")] * 5


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
