"""Sessions over REST. A view validates, calls one service and answers with the state."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.base import admitted
from accounts.limits import REQUESTS
from sessions_app import changes, services
from sessions_app.api.paging import listed, statuses
from sessions_app.api.preconditions import actor, version_seen
from sessions_app.api.presenters import absolute, shown_changes
from sessions_app.api.responses import (
    answer,
    body_or_nothing,
    must_exist,
    once_for,
    own_sessions,
    validated,
)
from sessions_app.api.schema import CONDITIONS, KEY, PAGE, REFUSED, STATUS, Error, LoggedEvent, ref
from sessions_app.api.serializers import ChangesQuery, SessionInput, VersionSeen
from sessions_app.changes import Missed
from sessions_app.events import SessionState
from sessions_app.exceptions import NotFound
from sessions_app.models import SessionEvent

CHANGES_OF_A_REQUEST = 50  # a request for more counts as several


class SessionsView(APIView):
    """`/sessions/`"""

    @extend_schema(
        operation_id="sessions_list",
        summary="The user's sessions, newest first",
        parameters=[STATUS, *PAGE],
        responses={200: ref(SessionState, many=True)},
        tags=["Sessions"],
    )
    def get(self, request: Request) -> HttpResponse:
        sessions = own_sessions(request).in_status(statuses(request)).for_show()

        def show(session: Any) -> SessionState:
            state: SessionState = session.shown()
            return absolute(request, state)

        return listed(request, sessions, show, newest_first=True)

    @extend_schema(
        summary="A new session, ready to start",
        request=SessionInput,
        parameters=KEY,
        responses={201: ref(SessionState), **REFUSED},
        tags=["Sessions"],
    )
    def post(self, request: Request) -> Response:
        values = validated(SessionInput, request)
        by = actor(request)
        made = once_for(request, lambda: services.create(by=by, **values), SessionState)
        return answer(request, made, 201)


class SessionView(APIView):
    """`/sessions/{id}/`"""

    @extend_schema(
        summary="One session",
        responses={200: ref(SessionState), 404: ref(Error)},
        tags=["Sessions"],
    )
    def get(self, request: Request, session_id: int) -> Response:
        session = own_sessions(request).for_show().filter(pk=session_id).first()
        if session is None:
            raise NotFound
        return answer(request, session.shown())

    @extend_schema(
        summary="Edit a session; a part is enough",
        request=SessionInput(partial=True),
        parameters=CONDITIONS,
        responses={200: ref(SessionState), **REFUSED},
        tags=["Sessions"],
    )
    def put(self, request: Request, session_id: int) -> Response:
        edits: Any = validated(SessionInput, request, partial=True)
        seen = version_seen(request)
        return answer(request, services.edit(session_id, edits, by=actor(request), seen=seen))

    @extend_schema(
        operation_id="sessions_patch",
        summary="The same as PUT",
        request=SessionInput(partial=True),
        responses={200: ref(SessionState), **REFUSED},
        tags=["Sessions"],
    )
    def patch(self, request: Request, session_id: int) -> Response:
        return self.put(request, session_id)

    @extend_schema(
        summary="Delete a session with its tasks and its star",
        parameters=CONDITIONS,
        responses={200: {"type": "object", "properties": {"success": {"const": True}}}, **REFUSED},
        tags=["Sessions"],
    )
    def delete(self, request: Request, session_id: int) -> Response:
        services.delete(session_id, by=actor(request), seen=version_seen(request))
        return Response({"success": True})


class RepeatView(APIView):
    """`/sessions/{id}/repeat/`"""

    @extend_schema(
        summary="A new ready session with copies of the tasks",
        request=VersionSeen,
        parameters=[*CONDITIONS, *KEY],
        responses={201: ref(SessionState), **REFUSED},
        tags=["Sessions"],
    )
    def post(self, request: Request, session_id: int) -> Response:
        body_or_nothing(request)
        by, seen = actor(request), version_seen(request)
        made = once_for(
            request, lambda: services.repeat(session_id, by=by, seen=seen), SessionState
        )
        return answer(request, made, 201)


class EventsView(APIView):
    """`/sessions/{id}/events/`"""

    @extend_schema(
        operation_id="sessions_events",
        summary="The session's log, oldest first",
        parameters=PAGE,
        responses={200: ref(LoggedEvent, many=True), 404: ref(Error)},
        tags=["Sessions"],
    )
    def get(self, request: Request, session_id: int) -> HttpResponse:
        must_exist(request, session_id)
        names = ("version", "revision", "kind", "at", "device", "data")
        events = SessionEvent.objects.filter(session_id=session_id)
        return listed(request, events, lambda row: {n: getattr(row, n) for n in names})


class ChangesView(APIView):
    """`/changes/?since=`"""

    @extend_schema(
        operation_id="changes",
        summary="What changed since a revision, oldest first",
        parameters=[ChangesQuery],
        responses={200: ref(Missed), 400: ref(Error)},
        tags=["Sessions"],
    )
    def get(self, request: Request) -> Response:
        query = ChangesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        user_id = admitted(request).user.pk
        epoch = asked.get("epoch") or None  # "" from a device that knows none yet
        missed = changes.missed(user_id, since=asked["since"], epoch=epoch)
        REQUESTS.charge(user_id, len(missed.changes) // CHANGES_OF_A_REQUEST)
        return Response(shown_changes(request, missed))
