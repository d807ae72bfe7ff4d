"""Shared by the views: the arguments of a service from a request, and responses from states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts.api.base import admitted
from sessions_app.api.preconditions import idempotency_key
from sessions_app.api.presenters import shown
from sessions_app.api.serializers import VersionSeen
from sessions_app.events import SessionState
from sessions_app.exceptions import NotFound
from sessions_app.idempotency import once
from sessions_app.models import Session

S = TypeVar("S")


def own_sessions(request: Request) -> Any:
    """The sessions of the request's user. All others are treated as missing."""
    return Session.objects.owned_by(admitted(request).user.pk)


def must_exist(request: Request, session_id: int) -> None:
    """Raises `NotFound` unless the request's user has this session."""
    if not own_sessions(request).filter(pk=session_id).exists():
        raise NotFound


def validated(
    kind: type[Serializer[Any]], request: Request, *, partial: bool = False
) -> dict[str, Any]:
    """The body as the serializer `kind` reads it. Raises DRF's ValidationError."""
    form = kind(data=request.data, partial=partial, context={"request": request})
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def once_for(request: Request, act: Callable[[], S], kind: type[S]) -> S:
    """Calls `act` once for the request's `Idempotency-Key`. The state that it gave."""
    content = [request.method, request.path, request.data]
    key = idempotency_key(request)
    return once(admitted(request).user.pk, key, content, act, kind).state


def answer(request: Request, state: SessionState, status: int = 200) -> Response:
    """The session as it is now, with its version as `ETag`."""
    return Response(
        shown(request, state), status=status, headers={"ETag": f'"{state.timer.version}"'}
    )


def body_or_nothing(request: Request) -> dict[str, Any]:
    """The body of a command: an object, or nothing."""
    if request.data in (None, "", {}):
        return {}
    if not isinstance(request.data, dict):
        VersionSeen(data=request.data).is_valid(raise_exception=True)
    return dict(request.data)
