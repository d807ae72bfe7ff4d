"""Sends everything that Space keeps of a user as one JSON document (`export_content.py`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import cast

from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, Throttled
from rest_framework.request import Request

from accounts.api.base import AccountView, admitted
from accounts.api.throttling import ExportsPerUser, RequestsPerUser
from accounts.security_log import record
from sessions_app.api.export_content import ExportContent
from sessions_app.api.schema import BUNDLE, Error, ref

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5


class NoRoom(APIException):
    """The disk has no room for the export."""

    status_code = 503
    default_code = "unavailable"
    default_detail = "The service is not available for a moment."
    wait = RETRY_AFTER_S


class Download(StreamingHttpResponse):
    """JSON in parts. A thread makes each part when the one before has been sent.

    From an iterator that is not asynchronous Django would make all parts first.
    """

    def __init__(self, parts: Iterable[bytes], name: str) -> None:
        disposition = f'attachment; filename="{name}"'
        super().__init__(
            parts,
            content_type="application/json",
            headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        waiting = cast("Iterator[bytes]", self.streaming_content)
        while (part := await asyncio.to_thread(next, waiting, None)) is not None:
            yield part


# In this package, because accounts does not know sessions.
class ExportView(AccountView):
    """With the pictures as data: URLs, the log of all sessions, and ended logins."""

    throttle_classes = (RequestsPerUser, ExportsPerUser)

    @extend_schema(
        operation_id="export_me",
        summary="Everything that is mine, as one document",
        responses={200: BUNDLE, 401: ref(Error), 429: ref(Error), 503: ref(Error)},
        tags=["Accounts"],
    )
    def get(self, request: Request) -> Download:
        user_id = admitted(request).user.pk
        with _alone(user_id):
            try:
                download = Download(ExportContent(request), "space.json")
            except OSError as error:
                log.error("an export cannot be kept: %s", error)
                raise NoRoom from None
        record("account_exported", user=user_id)
        return download


_busy: set[int] = set()
_guard = Lock()


@contextmanager
def _alone(user_id: int) -> Iterator[None]:
    """One export of a user at a time, in this process. Raises Throttled."""
    with _guard:
        if user_id in _busy:
            raise Throttled(wait=RETRY_AFTER_S)
        _busy.add(user_id)
    try:
        yield
    finally:
        with _guard:
            _busy.discard(user_id)
