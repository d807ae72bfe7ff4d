"""The two kinds of view: for who is logged in, and for who wants to be."""

from typing import Any, cast

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import CHALLENGE
from accounts.api.errors import as_drf
from accounts.auth.admission import Admission
from accounts.exceptions import AccountError


class AccountView(APIView):
    """Translates what the services raise."""

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(as_drf(exc) if isinstance(exc, AccountError) else exc)


class OpenView(AccountView):
    """For everybody: a stale token that a client still sends along is not looked at."""

    authentication_classes = ()
    permission_classes = ()

    def get_authenticate_header(self, request: Request) -> str:
        return CHALLENGE  # without one DRF turns 401 into 403


def valid(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    """What the serializer makes of its data. Raises DRF's ValidationError."""
    serializer.is_valid(raise_exception=True)
    data: dict[str, Any] = serializer.validated_data
    return data


def admitted(request: Request) -> Admission:
    """Who asks, and by which login. For views that only who is logged in gets to."""
    return cast(Admission, request.auth)
