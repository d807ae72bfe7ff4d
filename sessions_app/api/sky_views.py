"""The user's sky over REST."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.base import admitted
from sessions_app.api.paging import listed
from sessions_app.api.presenters import absolute
from sessions_app.api.responses import must_exist
from sessions_app.api.schema import PAGE, Error, ref
from sessions_app.events import SpaceState
from sessions_app.models import Space


class SpacesView(APIView):
    """`/spaces/`"""

    @extend_schema(
        operation_id="spaces_list",
        summary="The stars and planets, oldest first",
        parameters=PAGE,
        responses={200: ref(SpaceState, many=True), 401: ref(Error)},
        tags=["Sky"],
    )
    def get(self, request: Request) -> HttpResponse:
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
    def get(self, request: Request, session_id: int) -> HttpResponse:
        must_exist(request, session_id)
        return _bodies(request, Space.objects.filter(session_id=session_id))


def _bodies(request: Request, bodies: QuerySet[Space]) -> HttpResponse:
    return listed(
        request, bodies.select_related("session"), lambda body: absolute(request, body.state())
    )
