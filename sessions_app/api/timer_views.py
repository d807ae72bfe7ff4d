"""The commands of the timer over REST: one view for each action of `commands.py`."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sessions_app.api.preconditions import actor, idempotency_key, version_seen
from sessions_app.api.responses import answer, body_or_nothing
from sessions_app.api.schema import CONDITIONS, KEY, REFUSED, ref
from sessions_app.api.serializers import ExtendInput, StartInput, VersionSeen
from sessions_app.commands import ACTIONS, command
from sessions_app.events import SessionState


def command_view(action: str) -> type[APIView]:
    """The view of `/sessions/{id}/start/` or another command of the timer."""

    @extend_schema(
        operation_id=f"sessions_{action}",
        summary=f"{action.title()} the countdown",
        request={"start": StartInput, "extend": ExtendInput}.get(action, VersionSeen),
        parameters=[*CONDITIONS, *KEY],
        responses={200: ref(SessionState), **REFUSED},
        tags=["Timer"],
    )
    def post(self: APIView, request: Request, session_id: int) -> Response:
        arguments = body_or_nothing(request)
        by, seen, key = actor(request), version_seen(request), idempotency_key(request)
        outcome = command(action, session_id, arguments, by=by, seen=seen, key=key)
        return answer(request, outcome.state)

    return type(f"{action.title()}View", (APIView,), {"post": post})


COMMANDS = {action: command_view(action) for action in ACTIONS}
