"""Views of the password reset: ask for a link by mail, and set a new password by it."""

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import schema
from accounts.api.base import OpenView, valid
from accounts.api.serializers import (
    EndedSerializer,
    ResetAskedSerializer,
    ResetConfirmSerializer,
    ResetSerializer,
)
from accounts.api.throttling import ResetsPerAddress
from accounts.security_log import pseudonym, record
from accounts.services import password_reset

ANSWER = "If there is an account with this address, a link to a new password is on its way to it."


class ResetView(OpenView):
    """The answer, and the time until it comes, are the same whether there is such an account."""

    throttle_classes = (ResetsPerAddress,)

    @schema.operation(
        "ask_for_reset",
        "Ask for a link to a new password, by mail",
        (400, 429),
        {202: OpenApiResponse(ResetAskedSerializer, description="Always.")},
        request=ResetSerializer,
        auth=[],
    )
    def post(self, request: Request) -> Response:
        given = valid(ResetSerializer(data=request.data))
        record("password_reset_asked", who=pseudonym(given["email"]))
        password_reset.request_link(given["email"], _base(request))
        return Response({"detail": ANSWER}, status=status.HTTP_202_ACCEPTED)


class ResetConfirmView(OpenView):
    """The link is good once, for an hour. The user logs in anew, on every device."""

    throttle_classes = (ResetsPerAddress,)

    @schema.operation(
        "confirm_reset",
        "Set a new password by the link; every login ends",
        (400, 429),
        {200: EndedSerializer},
        request=ResetConfirmSerializer,
        auth=[],
    )
    def post(self, request: Request) -> Response:
        given = valid(ResetConfirmSerializer(data=request.data))
        ended = password_reset.reset(given["uid"], given["token"], given["new_password"])
        return Response({"ended": ended})


def _base(request: Request) -> str:
    """The start of the link. Not the request's host in production: an attacker can write any host
    into a request for another user's address, and the mail would lead there.
    """
    if settings.PUBLIC_URL or not settings.DEVELOPMENT:
        return str(settings.PUBLIC_URL)
    return request.build_absolute_uri("/").rstrip("/")
