"""REST for sessions. A view validates, calls one service function, and answers with the state."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts.api.base import admitted
from sessions_app import changes, services
from sessions_app.api.conditions import actor, idempotency_key, version_seen
from sessions_app.api.paging import page
from sessions_app.api.schema import Error, LoggedEvent, ref
from sessions_app.api.serializers import (
    ChangesQuery,
    ExtendInput,
    SessionInput,
    StartInput,
    TaskInput,
    VersionSeen,
)
from sessions_app.api.shown import shown, shown_changes
from sessions_app.changes import Missed
from sessions_app.commands import ACTIONS, command
from sessions_app.events import SessionState, SpaceState, TaskState
from sessions_app.exceptions import NotFound
from sessions_app.idempotency import once
from sessions_app.models import Session, SessionEvent, Space, Task

REFUSED = {code: ref(Error) for code in (400, 401, 404, 409, 412, 422, 429)}
PAGE = [
    OpenApiParameter("limit", int, description="At most so many; the rest follows `Link`."),
    OpenApiParameter("cursor", int, description="From the `Link` header of the page before."),
]
CONDITIONS = [
    OpenApiParameter("If-Match", str, "header", description='The version seen, such as "7".'),
]
KEY = [
    OpenApiParameter(
        "Idempotency-Key", str, "header", description="The same key happens once, for 24 hours."
    ),
]


class SessionsView(APIView):
    """`/sessions/`"""

    @extend_schema(
        operation_id="sessions_list",
        summary="The user's sessions, newest first",
        parameters=PAGE,
        responses={200: ref(SessionState, many=True)},
        tags=["Sessions"],
    )
    def get(self, request: Request) -> Response:
        rows, headers = page(request, _sessions(request).for_show(), newest_first=True)
        return Response([shown(request, s.state(s.read_at)) for s in rows], headers=headers)

    @extend_schema(
        summary="A new session, ready to start",
        request=SessionInput,
        parameters=KEY,
        responses={201: ref(SessionState), **REFUSED},
        tags=["Sessions"],
    )
    def post(self, request: Request) -> Response:
        values = _validated(SessionInput, request)
        answer = _once(request, lambda: services.create(by=actor(request), **values).as_json())
        return _answer(request, SessionState.from_json(answer), 201)


class SessionView(APIView):
    """`/sessions/{id}/`"""

    @extend_schema(
        summary="One session",
        responses={200: ref(SessionState), 404: ref(Error)},
        tags=["Sessions"],
    )
    def get(self, request: Request, session_id: int) -> Response:
        session = _sessions(request).for_show().filter(pk=session_id).first()
        if session is None:
            raise NotFound
        return _answer(request, session.state(session.read_at))

    @extend_schema(
        summary="Edit a session; a part is enough",
        request=SessionInput(partial=True),
        parameters=CONDITIONS,
        responses={200: ref(SessionState), **REFUSED},
        tags=["Sessions"],
    )
    def put(self, request: Request, session_id: int) -> Response:
        edits: Any = _validated(SessionInput, request, partial=True)
        seen = version_seen(request)
        return _answer(request, services.edit(session_id, edits, by=actor(request), seen=seen))

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
        arguments, seen, key = _arguments(request), version_seen(request), idempotency_key(request)
        by = actor(request)
        return _answer(request, command(action, session_id, arguments, by=by, seen=seen, key=key))

    return type(f"{action.title()}View", (APIView,), {"post": post})


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
        _arguments(request)  # an object, or nothing
        seen = version_seen(request)
        answer = _once(
            request,
            lambda: services.repeat(session_id, by=actor(request), seen=seen).as_json(),
        )
        return _answer(request, SessionState.from_json(answer), 201)


class EventsView(APIView):
    """`/sessions/{id}/events/`"""

    @extend_schema(
        operation_id="sessions_events",
        summary="The session's log, oldest first",
        parameters=PAGE,
        responses={200: ref(LoggedEvent, many=True), 404: ref(Error)},
        tags=["Sessions"],
    )
    def get(self, request: Request, session_id: int) -> Response:
        _exists(request, session_id)
        rows, headers = page(request, SessionEvent.objects.filter(session_id=session_id))
        names = ("version", "revision", "kind", "at", "device", "data")
        return Response([{n: getattr(row, n) for n in names} for row in rows], headers=headers)


class TasksView(APIView):
    """`/sessions/{id}/tasks/`"""

    @extend_schema(
        operation_id="tasks_list",
        summary="The tasks of a session",
        parameters=PAGE,
        responses={200: ref(TaskState, many=True), 404: ref(Error)},
        tags=["Tasks"],
    )
    def get(self, request: Request, session_id: int) -> Response:
        _exists(request, session_id)
        rows, headers = page(request, Task.objects.filter(session_id=session_id))
        return Response([task.state().as_json() for task in rows], headers=headers)

    @extend_schema(
        summary="A new task, where its minutes fit",
        request=TaskInput,
        parameters=KEY,
        responses={201: ref(TaskState), **REFUSED},
        tags=["Tasks"],
    )
    def post(self, request: Request, session_id: int) -> Response:
        values = _validated(TaskInput, request)
        answer = _once(
            request, lambda: services.add_task(session_id, by=actor(request), **values).as_json()
        )
        return Response(TaskState.from_json(answer).as_json(), status=201)


class TaskView(APIView):
    """`/sessions/{id}/tasks/{task_id}/`"""

    @extend_schema(
        summary="One task", responses={200: ref(TaskState), 404: ref(Error)}, tags=["Tasks"]
    )
    def get(self, request: Request, session_id: int, task_id: int) -> Response:
        _exists(request, session_id)
        task = Task.objects.filter(session_id=session_id, pk=task_id).first()
        if task is None:
            raise NotFound
        return Response(task.state().as_json())

    @extend_schema(
        summary="Edit a task; a part is enough",
        request=TaskInput(partial=True),
        responses={200: ref(TaskState), **REFUSED},
        tags=["Tasks"],
    )
    def put(self, request: Request, session_id: int, task_id: int) -> Response:
        edits: Any = _validated(TaskInput, request, partial=True)
        task = services.edit_task(session_id, task_id, edits, by=actor(request))
        return Response(task.as_json())

    @extend_schema(
        operation_id="tasks_patch",
        summary="The same as PUT",
        request=TaskInput(partial=True),
        responses={200: ref(TaskState), **REFUSED},
        tags=["Tasks"],
    )
    def patch(self, request: Request, session_id: int, task_id: int) -> Response:
        return self.put(request, session_id, task_id)

    @extend_schema(
        summary="Delete a task",
        responses={
            200: {"type": "object", "properties": {"message": {"type": "string"}}},
            **REFUSED,
        },
        tags=["Tasks"],
    )
    def delete(self, request: Request, session_id: int, task_id: int) -> Response:
        services.delete_task(session_id, task_id, by=actor(request))
        return Response({"message": "Task deleted"})


class SpacesView(APIView):
    """`/spaces/`"""

    @extend_schema(
        operation_id="spaces_list",
        summary="The stars and planets, oldest first",
        parameters=PAGE,
        responses={200: ref(SpaceState, many=True), 401: ref(Error)},
        tags=["Sky"],
    )
    def get(self, request: Request) -> Response:
        return _bodies(request, Space.objects.filter(user_id=admitted(request).user.pk))


class SessionSpacesView(APIView):
    """`/sessions/{id}/spaces/`"""

    @extend_schema(
        operation_id="sessions_spaces",
        summary="What the session became: one star or planet, or none yet",
        parameters=PAGE,
        responses={200: ref(SpaceState, many=True), 404: ref(Error)},
        tags=["Sky"],
    )
    def get(self, request: Request, session_id: int) -> Response:
        _exists(request, session_id)
        return _bodies(request, Space.objects.filter(session_id=session_id))


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
        missed = changes.missed(
            admitted(request).user.pk, since=asked["since"], epoch=asked.get("epoch")
        )
        return Response(shown_changes(request, missed))


# -- shared --------------------------------------------------------------------------------------


def _sessions(request: Request) -> Any:
    return Session.objects.owned_by(admitted(request).user.pk)


def _bodies(request: Request, bodies: QuerySet[Space]) -> Response:
    rows, headers = page(request, bodies.select_related("session"))
    return Response([shown(request, body.state()) for body in rows], headers=headers)


def _exists(request: Request, session_id: int) -> None:
    if not _sessions(request).filter(pk=session_id).exists():
        raise NotFound


def _validated(
    kind: type[Serializer[Any]], request: Request, *, partial: bool = False
) -> dict[str, Any]:
    form = kind(data=request.data, partial=partial)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def _arguments(request: Request) -> dict[str, Any]:
    """The body of a command: an object, or nothing."""
    if request.data in (None, "", {}):
        return {}
    if not isinstance(request.data, dict):
        VersionSeen(data=request.data).is_valid(raise_exception=True)
    return dict(request.data)


def _once(request: Request, act: Any) -> Any:
    asked = [request.method, request.path, request.data]
    return once(admitted(request).user.pk, idempotency_key(request), asked, act)


def _answer(request: Request, state: SessionState, status: int = 200) -> Response:
    return Response(
        shown(request, state), status=status, headers={"ETag": f'"{state.timer.version}"'}
    )


COMMANDS = {action: command_view(action) for action in ACTIONS}
