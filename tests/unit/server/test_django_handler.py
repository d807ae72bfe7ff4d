"""How a request gets from the event loop to Django and back."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from accounts import password_hashing
from accounts.auth.tokens import AccessToken
from config.variables import Environment
from runtime import deadline
from server.asgi import django_handler
from server.asgi.django_handler import LARGE, MOST_UNREAD, DjangoHandler
from tests.support.asgi import PATIENCE_S, Answer, ask, until

threads: list[str] = []  # of the middleware and of the view
closed: list[str] = []
go_on = threading.Event()


def recording(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """A synchronous middleware."""

    def call(request: HttpRequest) -> HttpResponse:
        threads.append(threading.current_thread().name)
        return get_response(request)

    return call


def quick(request: HttpRequest) -> HttpResponse:
    threads.append(threading.current_thread().name)
    return HttpResponse(request.body or b"quick")


def slow(request: HttpRequest) -> HttpResponse:
    assert go_on.wait(PATIENCE_S)
    return HttpResponse(b"slow")


def hashing(request: HttpRequest) -> HttpResponse:
    with password_hashing._slot():
        time.sleep(0)  # lets another thread run
    return HttpResponse(b"hashed")


def hurried(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(deadline.left()).encode())


class Parts:
    """The content of a streamed answer, which may hold a file."""

    async def __aiter__(self) -> Any:
        yield b"one "
        yield b"two"

    def close(self) -> None:
        closed.append("parts")


urlpatterns = [
    path("quick/", quick),
    path("hurried/", hurried),
    path("users/login/", slow),
    path("users/signup/", hashing),
    path("users/token/refresh/", quick),
    path("sessions/", slow),
    path("stream/", lambda request: StreamingHttpResponse(Parts())),
]


@pytest.fixture
def app(settings: Any) -> DjangoHandler:
    settings.ROOT_URLCONF = __name__
    settings.REST_THREADS = 1
    settings.MIDDLEWARE = [f"{__name__}.recording", *settings.MIDDLEWARE]
    threads.clear()
    closed.clear()
    go_on.clear()
    return DjangoHandler()


def asking(app: DjangoHandler, path: str, count: int, **more: Any) -> list[asyncio.Task[Answer]]:
    method = "GET" if path == "/quick/" else "POST"
    return [asyncio.create_task(ask(app, path, method=method, **more)) for _ in range(count)]


async def answers(asked: list[asyncio.Task[Answer]]) -> list[tuple[int, bytes]]:
    return [(answer.status, answer.body) for answer in await asyncio.gather(*asked)]


async def test_a_streamed_answer_comes_whole(app: DjangoHandler) -> None:
    assert (await ask(app, "/stream/")).body == b"one two"


async def test_a_stream_whose_client_has_gone_is_closed(app: DjangoHandler) -> None:
    [reading] = asking(app, "/stream/", 1, reads=asyncio.Event())
    await until(lambda: threads and app._unread)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert closed == ["parts"]


async def test_middleware_and_view_share_a_thread_and_further_requests_wait_for_it(
    app: DjangoHandler,
) -> None:
    assert await answers(asking(app, "/quick/", 20)) == [(200, b"quick")] * 20
    assert len(threads) == 2 * 20
    (thread,) = set(threads)
    assert thread.startswith("rest")


@pytest.mark.parametrize(
    ("path", "body"), [("/users/login/", b"{}"), ("/sessions/", b" " * (LARGE + 1))]
)
async def test_hashes_and_pictures_keep_no_other_request_waiting(
    app: DjangoHandler, path: str, body: bytes
) -> None:
    waiting = asking(app, path, 5, body=body)
    await asyncio.sleep(0)
    try:
        assert (await ask(app, "/quick/", method="POST", body=b"small")).body == b"small"
    finally:
        go_on.set()
    assert await answers(waiting) == [(200, b"slow")] * 5


async def test_a_request_that_breaks_off_reaches_no_view(app: DjangoHandler) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    assert await ask(app, "/quick/", receive=receive) == []
    assert threads == []


# -- the queue before the threads ----------------------------------------------------------------


@pytest.fixture
def short_queue(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    monkeypatch.setattr(django_handler, "PATIENT_THREADS", 2)
    monkeypatch.setattr(django_handler, "PATIENT_SHARE", 2)
    monkeypatch.setattr(django_handler, "PATIENT_QUEUE", 4)


async def test_a_full_queue_answers_503_at_once_and_without_a_thread(
    short_queue: None, app: DjangoHandler
) -> None:
    waiting = [asking(app, "/users/login/", 1, address=f"10.0.0.{n}")[0] for n in range(6)]
    await until(lambda: app._patient.semaphore.waiting == 4)
    headers = [(b"origin", b"https://app.example"), (b"x-request-id", b"mine")]
    try:
        refused = await ask(app, "/users/login/", method="POST", headers=headers)
        other = await ask(app, "/quick/")
    finally:
        go_on.set()
    assert (refused.status, refused.code) == (503, "unavailable")
    assert refused.headers[b"retry-after"] == b"5"
    assert json.loads(refused.body)["request_id"].encode() == b"mine"
    assert refused.headers[b"x-request-id"] == b"mine"
    assert refused.headers[b"access-control-allow-origin"] == b"https://app.example"
    assert other.body == b"quick", "other requests have threads of their own"
    assert await answers(waiting) == [(200, b"slow")] * 6


async def test_a_refresh_waits_for_no_log_in(short_queue: None, app: DjangoHandler) -> None:
    class_of_six = asking(app, "/users/login/", 6)
    await until(lambda: app._patient.semaphore.waiting == 2)
    try:
        refreshed = await ask(app, "/users/token/refresh/", method="POST", body=b"{}")
    finally:
        go_on.set()
    assert refreshed.body == b"{}"
    await asyncio.gather(*class_of_six)


async def test_one_address_cannot_fill_the_queue(short_queue: None, app: DjangoHandler) -> None:
    flood = asking(app, "/users/login/", 10)
    await until(lambda: sum(one.done() for one in flood) == 6)
    assert {one.result().status for one in flood if one.done()} == {429}
    other = asking(app, "/users/login/", 1, address="10.0.0.2")
    await until(lambda: app._patient.semaphore.waiting == 3)
    go_on.set()
    assert await answers(other) == [(200, b"slow")]
    await asyncio.gather(*flood)


async def test_a_class_behind_one_address_is_hashed_to_the_last(
    app: DjangoHandler, settings: Any
) -> None:
    """With the limit of production: a request that gets a thread may also wait for a hash."""
    most = Environment.LIMIT_WAITING_PER_ADDRESS.default
    settings.LIMIT_WAITING_PER_ADDRESS = most
    assert most >= django_handler.PATIENT_SHARE - password_hashing.AT_A_TIME
    assert await answers(asking(app, "/users/signup/", 60)) == [(200, b"hashed")] * 60


async def test_the_time_in_the_queue_is_taken_from_the_time_for_the_work(
    app: DjangoHandler,
) -> None:
    assert 0 < float((await ask(app, "/hurried/")).body) <= django_handler.WORK_S
    at_work = asyncio.create_task(ask(app, "/sessions/"))
    await until(lambda: app._quick.semaphore.in_use == 1)
    [waiting] = asking(app, "/hurried/", 1)
    await until(lambda: app._quick.semaphore.waiting == 1)
    await asyncio.sleep(0.05)
    go_on.set()
    assert float((await waiting).body) <= django_handler.WORK_S - 0.05
    await at_work


async def test_a_late_answer_is_503_and_its_thread_stays_taken_until_the_work_ends(
    app: DjangoHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(django_handler, "ANSWER_S", 0.05)
    late = await ask(app, "/sessions/")
    assert (late.status, late.code, late.headers[b"retry-after"]) == (503, "unavailable", b"5")
    assert app._quick.semaphore.in_use == 1, "another request would only wait for this thread"
    go_on.set()
    await until(lambda: app._quick.semaphore.in_use == 0)
    monkeypatch.undo()
    assert (await ask(app, "/quick/")).body == b"quick"


async def test_a_user_who_reads_no_answer_gets_no_more_of_them(app: DjangoHandler) -> None:
    token = AccessToken()
    token.payload |= {"jti": "j", "user_id": "7", "login": 1}
    headers = [(b"authorization", f"Bearer {token}".encode())]
    reads = asyncio.Event()
    unread = asking(app, "/quick/", MOST_UNREAD, headers=headers, reads=reads)
    await until(lambda: app._unread.total() == MOST_UNREAD)
    refused = await ask(app, "/quick/", headers=headers)
    assert (refused.status, refused.code) == (429, "throttled")
    assert (await ask(app, "/quick/")).body == b"quick"
    reads.set()
    await asyncio.gather(*unread)
    assert (await ask(app, "/quick/", headers=headers)).status == 200
    assert app._unread == {}


async def test_one_user_gets_only_some_of_the_threads(app: DjangoHandler, settings: Any) -> None:
    assert django_handler._share_of_a_user(7) == django_handler.USER_SHARE
    assert django_handler._share_of_a_user("10.0.0.1") == settings.REST_THREADS, "it may be a class"


async def test_large_bodies_of_one_user_are_answered_one_at_a_time(
    app: DjangoHandler, settings: Any
) -> None:
    sent = asking(app, "/sessions/", 5, body=b" " * (settings.BODY_LIMIT + 1))
    await until(lambda: app._large.semaphore.waiting == 4)
    assert app._large.semaphore.in_use == 1
    go_on.set()
    assert await answers(sent) == [(200, b"slow")] * 5
