"""Everything that Space keeps of a user, as one JSON document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.base import admitted
from accounts.api.serializers import LoginSerializer, UserSerializer
from accounts.models import Login
from sessions_app.api.schema import Error, ref
from sessions_app.api.shown import shown
from sessions_app.clock import database_now
from sessions_app.models import Session, SessionEvent, Space

_EVENT = ("revision", "session_id", "version", "kind", "at", "device", "data")


class ExportView(APIView):
    """`/users/me/export/`: here, because accounts know nothing of sessions."""

    @extend_schema(
        operation_id="export_me",
        summary="Everything that is mine, as one document",
        responses={200: {"type": "object"}, 401: ref(Error)},
        tags=["Accounts"],
    )
    def get(self, request: Request) -> Response:
        return Response(
            bundle(request),
            headers={"Content-Disposition": 'attachment; filename="space.json"'},
        )


def bundle(request: Request) -> dict[str, Any]:
    """The user's profile, logins, sessions with their tasks, sky and log."""
    user, now = admitted(request).user, database_now()
    logins = Login.objects.filter(user=user).order_by("pk")
    sessions = Session.objects.filter(user=user).prefetch_related("tasks").order_by("pk")
    bodies = Space.objects.filter(user=user).select_related("session").order_by("pk")
    events = SessionEvent.objects.filter(user=user).order_by("revision").values(*_EVENT)
    return {
        "exported_at": _plain(now),
        "profile": UserSerializer(user).data,
        "logins": LoginSerializer(logins, many=True, context={"request": request}).data,
        "sessions": [shown(request, session.state(now)) for session in sessions],
        "spaces": [shown(request, body.state()) for body in bodies],
        "events": [_plain(dict(event)) for event in events],
    }


def _plain(value: dict[str, Any] | datetime) -> Any:
    return msgspec.to_builtins(value)
