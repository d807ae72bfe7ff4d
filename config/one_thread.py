"""Django for ASGI, each request from the first middleware to the last in one thread.

Django's own handler changes between the event loop and a thread nine times for one request of ours
(each middleware that can be either, the view, the signals, the close) and starts a thread for each
request. All of it is synchronous here, so one change is enough: measured as fast as a WSGI server
(docs/operations.md, "Which server").

Two groups of threads. What may have to wait for its turn at a hash or a picture has its own, so
that it keeps nobody else from being served.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from config.bodies import Receive, Send

PATIENT_THREADS = 64
LARGE = 16 * 1024  # bytes: what is smaller holds no picture that takes long


class OneThread(ASGIHandler):
    """An ASGI application for HTTP. Django must be set up."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._quick = ThreadPoolExecutor(settings.REST_THREADS, thread_name_prefix="rest")
        self._patient = ThreadPoolExecutor(PATIENT_THREADS, thread_name_prefix="rest-patient")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        threads = self._patient if _may_wait(scope) else self._quick
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(threads, self._answer, scope, body)
        await self.send_response(response, send)
        if response.streaming:
            await loop.run_in_executor(threads, response.close)

    def _answer(self, scope: Any, body: Any) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, error = self.create_request(scope, body)
        response = error if request is None else self.get_response(request)
        assert response is not None
        response._handler_class = self.__class__  # type: ignore[attr-defined]
        if not response.streaming:
            response.close()  # what it says is kept; what it held goes back
            body.close()
        return response


def _may_wait(scope: Any) -> bool:
    """Whether the request may be one that hashes a password or decodes a picture."""
    if scope["path"].startswith("/users/"):
        return bool(scope["method"] != "GET")
    length: bytes = dict(scope["headers"]).get(b"content-length", b"")
    return length.isdigit() and int(length) > LARGE
