"""The two kinds of view: for users who are logged in, and for everybody."""

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
    """Translates the errors of the services."""

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(as_drf(exc) if isinstance(exc, AccountError) else exc)


class OpenView(AccountView):
    """For everybody. A token that a client still sends along is ignored."""

    authentication_classes = ()
    permission_classes = ()

    def get_authenticate_header(self, request: Request) -> str:
        return CHALLENGE  # without one DRF turns 401 into 403


def valid(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    """The validated data. Raises DRF's ValidationError."""
    serializer.is_valid(raise_exception=True)
    data: dict[str, Any] = serializer.validated_data
    return data


def admitted(request: Request) -> Admission:
    """The user of the request and their login. For views that need a login."""
    return cast(Admission, request.auth)
