"""What the views share: from a request to a service's arguments, from a state to an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def own_sessions(request: Request) -> Any:
    """The sessions of who asks; no other exists."""
    return Session.objects.owned_by(admitted(request).user.pk)


def must_exist(request: Request, session_id: int) -> None:
    """Raises `NotFound` unless who asks has this session."""
    if not own_sessions(request).filter(pk=session_id).exists():
        raise NotFound


def validated(
    kind: type[Serializer[Any]], request: Request, *, partial: bool = False
) -> dict[str, Any]:
    """What the form makes of the body. Raises DRF's ValidationError."""
    form = kind(data=request.data, partial=partial, context={"request": request})
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def once_for(request: Request, act: Callable[[], Any]) -> Any:
    """Does `act` once for the request's `Idempotency-Key`, and gives its answer (plain JSON)."""
    asked = [request.method, request.path, request.data]
    return once(admitted(request).user.pk, idempotency_key(request), asked, act)


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
