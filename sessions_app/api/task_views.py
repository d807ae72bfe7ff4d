"""The tasks of a session over REST."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sessions_app import services
from sessions_app.api.paging import listed
from sessions_app.api.preconditions import actor
from sessions_app.api.responses import must_exist, once_for, validated
from sessions_app.api.schema import KEY, PAGE, REFUSED, Error, ref
from sessions_app.api.serializers import TaskInput
from sessions_app.events import TaskState
from sessions_app.exceptions import NotFound
from sessions_app.models import Task


class TasksView(APIView):
    """`/sessions/{id}/tasks/`"""

    @extend_schema(
        operation_id="tasks_list",
        summary="The tasks of a session",
        parameters=PAGE,
        responses={200: ref(TaskState, many=True), 404: ref(Error)},
        tags=["Tasks"],
    )
    def get(self, request: Request, session_id: int) -> HttpResponse:
        must_exist(request, session_id)
        return listed(request, Task.objects.filter(session_id=session_id), Task.state)

    @extend_schema(
        summary="A new task, where its minutes fit",
        request=TaskInput,
        parameters=KEY,
        responses={201: ref(TaskState), **REFUSED},
        tags=["Tasks"],
    )
    def post(self, request: Request, session_id: int) -> Response:
        values = validated(TaskInput, request)
        by = actor(request)
        task = once_for(request, lambda: services.add_task(session_id, by=by, **values), TaskState)
        return Response(task.as_json(), status=201)


class TaskView(APIView):
    """`/sessions/{id}/tasks/{task_id}/`"""

    @extend_schema(
        summary="One task", responses={200: ref(TaskState), 404: ref(Error)}, tags=["Tasks"]
    )
    def get(self, request: Request, session_id: int, task_id: int) -> Response:
        must_exist(request, session_id)
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
        edits: Any = validated(TaskInput, request, partial=True)
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
