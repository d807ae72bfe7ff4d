"""Requests to the real ASGI application in this process, byte for byte as a server would pass them.

    the test's thread   ask() ............ runs the views, on the test's own database connection
                          |                  ^
    a thread of its own   the event loop: all of `config/asgi.py`

Nothing is encoded, sorted or corrected on the way (Django's own client does all three), and no
answer of a 5xx, of something else than JSON, or of an error in another shape gets past `ask`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from runpy import run_path
from threading import Thread
from typing import Any
from unittest import mock
from urllib.parse import unquote

from django.core import signals
from django.db import close_old_connections

from config.variables import BASE_DIR
from tests.support import contract
from tests.support.people import Person

Text = str | bytes
Headers = Mapping[str, Text | None] | Iterable[tuple[Text, Text | None]]

ERROR = {"error", "code", "detail", "request_id"}
# What people look at, not clients of the API. An error there is JSON all the same.
PAGES = ("/static/", "/media/", "/docs", "/schema", "/favicon.ico", "/admin/")
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Answer:
    status: int
    header: dict[str, str]  # names in lower case
    body: bytes = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The stable code of an error, "" of anything else."""
        found = self.json() if self.body else None
        return str(found.get("code", "")) if isinstance(found, dict) else ""

    def __str__(self) -> str:
        return f"{self.status} {self.body[:500]!r}"


class NotAsPromised(AssertionError):
    """An answer that no input may cause."""


def check(method: str, path: str, answer: Answer) -> None:
    """Raises `NotAsPromised` unless the answer is one that any client may get."""
    what = f"{method} {path[:200]!r}: {answer}"
    if answer.status >= 500:
        raise NotAsPromised(f"our fault: {what}")
    kind = answer.header.get("content-type", "")
    if answer.status < 400:
        for_people = path == "/" or path.startswith(PAGES) or 300 <= answer.status < 400
        if answer.body and not for_people and kind != "application/json":
            raise NotAsPromised(f"not JSON but {kind!r}: {what}")
        return
    if method == "HEAD":
        return
    if kind != "application/json":
        raise NotAsPromised(f"an error that is not JSON but {kind!r}: {what}")
    body = answer.json()
    if not isinstance(body, dict) or not body.keys() >= ERROR:
        raise NotAsPromised(f"an error without {ERROR}: {what}")
    if not all(isinstance(body[name], str) and body[name] for name in ERROR):
        raise NotAsPromised(f"an error with an empty part: {what}")
    if body["error"] != body["detail"] or body["request_id"] != answer.header["x-request-id"]:
        raise NotAsPromised(f"an error that contradicts itself: {what}")
    if answer.status == 401 and not answer.header.get("www-authenticate", "").startswith("Bearer"):
        raise NotAsPromised(f"a 401 without a challenge: {what}")
    if answer.status == 405 and not answer.header.get("allow"):
        raise NotAsPromised(f"a 405 that does not say what is allowed: {what}")
    if answer.status == 429 and not answer.header.get("retry-after", "").isdigit():
        raise NotAsPromised(f"a 429 that does not say for how long: {what}")


class _InTheTestsThread(Executor):
    """Where the application means to use threads, the test does the work, in its transaction."""

    def __init__(self, jobs: SimpleQueue[Callable[[], None] | None]) -> None:
        self._jobs = jobs

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def job() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # the loop's to raise
                future.set_exception(error)

        self._jobs.put(job)
        return future


ASGI = BASE_DIR / "config" / "asgi.py"


class Api:
    """The application, and what may be sent to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.app = self._application()

    def ask(
        self,
        method: str,
        target: Text,
        body: Text = b"",
        headers: Headers = (),
        *,
        by: Person | None = None,
        address: str = "127.0.0.1",
        checked: bool = True,
    ) -> Answer:
        """The answer to a request. `target`: the path as it stands in the request's first line.

        A body gets the type of JSON and its length, where `headers` do not say otherwise; a header
        of None is left out. `checked` False: the answer may be anything.
        """
        scope = _scope(method, target, _bytes(body), headers, by, address)
        answer = self._run(scope, _bytes(body))
        if checked:
            check(method, scope["path"], answer)
            kind = answer.header.get("content-type", "")
            contract.check_answer(method, scope["path"], answer.status, kind, answer.body)
        return answer

    def _run(self, scope: dict[str, Any], body: bytes) -> Answer:
        sent: list[dict[str, Any]] = []
        whole = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return whole.pop() if whole else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        with _the_tests_connection_kept():
            answered = asyncio.run_coroutine_threadsafe(self.app(scope, receive, send), self._loop)
            answered.add_done_callback(lambda _: self._jobs.put(None))
            while (job := self._jobs.get(timeout=PATIENCE_S)) is not None:
                job()
            answered.result()
        return _answer(sent)

    def _application(self) -> Any:
        """A second application of `config/asgi.py`, whose threads are the test's."""
        from server.asgi import django_handler

        threads = _InTheTestsThread(self._jobs)
        with (
            mock.patch.object(django_handler, "ThreadPoolExecutor", return_value=threads),
            mock.patch("django.setup"),  # it is set up
        ):
            # By its path: whether it was imported before, by another test, does not matter.
            return run_path(str(ASGI))["application"]


@contextmanager
def _the_tests_connection_kept() -> Iterator[None]:
    """As Django's own client does: what begins and ends a request would close it."""
    ends = (signals.request_started, signals.request_finished)
    for end in ends:
        end.disconnect(close_old_connections)
    try:
        yield
    finally:
        for end in ends:
            end.connect(close_old_connections)


@contextmanager
def wire() -> Iterator[Api]:
    """A wire to the application, whose loop runs until the end."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="wire", daemon=True)
    thread.start()
    try:
        yield Api(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


def bearer(person: Person) -> str:
    """What the person's device sends as `Authorization`."""
    header: str = person.api._credentials["HTTP_AUTHORIZATION"]  # type: ignore[attr-defined]
    return header


def _scope(
    method: str, target: Text, body: bytes, headers: Headers, by: Person | None, address: str
) -> dict[str, Any]:
    path, _, query = _bytes(target).partition(b"?")
    given = headers.items() if isinstance(headers, Mapping) else headers
    pairs = [(_bytes(name).lower(), value) for name, value in given]
    named = {name for name, _ in pairs}
    ours: list[tuple[bytes, Text | None]] = [(b"host", b"testserver")]
    if body:
        ours.append((b"content-type", b"application/json"))
    ours.append((b"content-length", str(len(body)).encode()))
    if by is not None:
        ours.append((b"authorization", bearer(by)))
    pairs += [(name, value) for name, value in ours if name not in named]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),  # as uvicorn does
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name, _bytes(value)) for name, value in pairs if value is not None],
        "client": (address, 40_000),
        "server": ("testserver", 80),
    }


def _answer(sent: list[dict[str, Any]]) -> Answer:
    start = next(m for m in sent if m["type"] == "http.response.start")
    header = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return Answer(start["status"], header, body)


def _bytes(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
