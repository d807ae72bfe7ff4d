"""Django for ASGI, each request from the first middleware to the last in one thread.

Django's own handler changes between the event loop and a thread nine times for one request of ours
(each middleware that can be either, the view, the signals, the close) and starts a thread for each
request. Our requests are all synchronous, so one change is enough: this is as fast as a WSGI server
(docs/operations.md, "How many servers, and which").

Three groups of threads, each with a bounded queue before it (`fair_semaphore.py`): beyond it 503.
Requests that may wait for a hash or a picture have their own group, so that they keep no other
request from being served. So have large bodies, of which each takes much memory.

No request takes over 10 s from the moment that its body is whole until its answer begins. The
stages share that time (`runtime/deadline.py`): the wait in the queue, the work in the thread, which
the deadline ends wherever it waits. If it does not, the client gets 503 without it (ADR 36).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, TypeVar

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from runtime import deadline
from runtime.fair_semaphore import AsyncFairSemaphore, Overloaded
from server.asgi.bodies import KEPT, LONGEST_WAIT_S, is_large
from server.asgi.client_identity import client_of
from server.asgi.early_errors import refuse_for_now
from server.asgi.types import Receive, Send
from web.errors import unreadable

ANSWER_S = 9.5  # when a client gets 503 whatever its thread does; 10 s are promised
WORK_S = 8.5  # when the thread gives up by itself, and answers with the reason
PATIENT_THREADS = 64
PATIENT_SHARE = 16  # of them for one client: also for one that guesses passwords
USER_SHARE = 5  # of the others for one user; an address may be a whole school
LARGE_THREADS = 3
QUEUE = 500  # requests; at the usual pace they are answered within five seconds
PATIENT_QUEUE = 200
LARGE_QUEUE = 50
LARGE = 16 * 1024  # bytes: a smaller body holds no picture that takes long
# Requests that a device makes by itself must not queue behind a class that logs in.
HASH_NOTHING = {"/users/token/refresh/", "/users/logout/", "/users/logout-all/"}
MOST_UNREAD = 20  # answers to one user that are not read; each is kept whole
RETRY_AFTER_S = 5
LONGEST_PATH = 200  # characters of it in the log

T = TypeVar("T")

log = logging.getLogger(__name__)


groups: dict[str, Group] = {}  # of this process, by name, for the metrics


class Group:
    """Threads, and the queue before them. Of its places one client gets half."""

    def __init__(
        self, name: str, threads: int, queue: int, share: Callable[[Hashable], int]
    ) -> None:
        self.semaphore = AsyncFairSemaphore(
            threads, share=share, queue=queue, queue_share=lambda _: queue // 2
        )
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        groups[name] = self


class DjangoHandler(ASGIHandler):
    """An ASGI application for HTTP. Django must be set up."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._quick = Group("rest", settings.REST_THREADS, QUEUE, _share_of_a_user)
        self._patient = Group(
            "rest-patient", PATIENT_THREADS, PATIENT_QUEUE, lambda _: PATIENT_SHARE
        )
        self._large = Group("rest-large", LARGE_THREADS, LARGE_QUEUE, lambda _: 1)
        self._unread: Counter[Hashable] = Counter()  # answers that are being sent

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            body = scope.get(KEPT) or await self.read_body(receive)
        except RequestAborted:
            return
        except OSError as error:  # there is no room for a large body
            log.error("a body cannot be kept: %s", error)
            await refuse_for_now(scope, send, Overloaded(own=False), retry_after_s=RETRY_AFTER_S)
            return
        began = monotonic()  # the body is whole
        group, client = self._group(scope), client_of(scope)
        try:
            if isinstance(client, int) and self._unread[client] >= MOST_UNREAD:
                body.close()
                raise Overloaded(own=True)
            response = await self._in_time(group, client, scope, body, began)
        except Overloaded as overload:
            await refuse_for_now(scope, send, overload, retry_after_s=RETRY_AFTER_S)
            return
        # The thread is free again; only the client can hold up the rest.
        self._unread[client] += 1
        try:
            await self.send_response(response, send)
        finally:
            self._unread[client] -= 1
            if not self._unread[client]:
                del self._unread[client]
            if response.streaming:  # releases its resources, also where its client has gone
                await _in(group.threads, response.close)

    async def _in_time(
        self, group: Group, client: Hashable, scope: Any, body: Any, began: float
    ) -> HttpResponseBase:
        """The answer, once there is a slot. Raises `Overloaded` where there is none in time.

        The slot is held as long as the thread works, also where no client waits for the answer.
        """
        try:
            waiting_s = min(LONGEST_WAIT_S, began + WORK_S - monotonic())
            await group.semaphore.acquire(client, within_s=waiting_s)
        except BaseException:
            body.close()
            raise
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(group.threads, self._answer, scope, body, began + WORK_S)
        work.add_done_callback(lambda _: group.semaphore.release(client))
        try:
            await asyncio.wait((work,), timeout=began + ANSWER_S - monotonic())
        finally:
            if not work.done():  # too late, or the client has gone
                work.add_done_callback(_forget)
        if not work.done():
            log.error("a request took over %s s: %s", ANSWER_S, scope["path"][:LONGEST_PATH])
            raise Overloaded(own=False)
        return work.result()

    def _group(self, scope: Any) -> Group:
        if is_large(scope):
            return self._large
        return self._patient if _may_wait(scope) else self._quick

    def _answer(self, scope: Any, body: Any, until: float) -> HttpResponseBase:
        with deadline.until(until):
            return self._response(scope, body)

    def _response(self, scope: Any, body: Any) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, error = self.create_request(scope, body)
        if request is None:
            response: HttpResponseBase = unreadable(error.status_code if error else 400)
        else:
            response = self.get_response(request)
        response._handler_class = self.__class__  # type: ignore[attr-defined]
        if not response.streaming:
            response.close()  # its content is kept, its resources are released
            body.close()
        return response


def _forget(work: asyncio.Future[HttpResponseBase]) -> None:
    """Releases the resources of an answer that came too late."""
    if not work.cancelled() and work.exception() is None and (late := work.result()).streaming:
        late.close()


def _share_of_a_user(client: Hashable) -> int:
    """Fewer than all threads, for a user who requests all their data again and again."""
    return USER_SHARE if isinstance(client, int) else settings.REST_THREADS


def _may_wait(scope: Any) -> bool:
    """Whether the request may be one that hashes a password or decodes a picture."""
    if scope["path"].startswith(("/users/", "/admin/")):
        return bool(scope["method"] != "GET") and scope["path"] not in HASH_NOTHING
    length: bytes = dict(scope["headers"]).get(b"content-length", b"")
    return length.isdigit() and int(length) > LARGE


async def _in(threads: ThreadPoolExecutor, work: Callable[..., T], *given: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, work, *given)
