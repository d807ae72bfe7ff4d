"""Views of sign-up, log-in, refresh and log-out."""

from dataclasses import asdict
from typing import Any

from rest_framework import status
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import schema
from accounts.api.authentication import LoginAuthentication
from accounts.api.base import OpenView, valid
from accounts.api.devices import device_name
from accounts.api.serializers import (
    LoggedInSerializer,
    LogInSerializer,
    LogOutSerializer,
    RefreshSerializer,
    SignUpSerializer,
    TokensSerializer,
)
from accounts.api.throttling import RefreshesPerAddress, SignUpsPerAddress
from accounts.auth.tokens import pair_of
from accounts.exceptions import TokenNotValid
from accounts.models import Login
from accounts.services import logins
from runtime.client_address import client_address


class SignUpView(OpenView):
    """A new user, logged in at once. Unknown fields are ignored."""

    throttle_classes = (SignUpsPerAddress,)

    @schema.operation(
        "sign_up",
        "Sign up",
        (400, 429),
        {201: LoggedInSerializer},
        request=SignUpSerializer,
        auth=[],
    )
    def post(self, request: Request) -> Response:
        wanted = valid(SignUpSerializer(data=request.data))
        login = logins.sign_up(
            wanted["username"], wanted["email"], wanted["password"], **_origin(request, wanted)
        )
        return Response(_logged_in(login), status=status.HTTP_201_CREATED)


class LogInView(OpenView):
    """By user name or e-mail address, in any case."""

    throttle_classes = ()

    @schema.operation(
        "log_in",
        "Log in",
        (400, 401, 429),
        {200: LoggedInSerializer, 401: schema.WRONG_CREDENTIALS},
        request=LogInSerializer,
        auth=[],
    )
    def post(self, request: Request) -> Response:
        given = valid(LogInSerializer(data=request.data))
        origin = _origin(request, given)
        return Response(_logged_in(logins.sign_in(given["username"], given["password"], **origin)))


class RefreshView(OpenView):
    """Asked again within ten seconds, a token gives the same pair; later its login ends."""

    throttle_classes = (RefreshesPerAddress,)

    @schema.operation(
        "refresh_tokens",
        "Change a refresh token for the next pair",
        (400, 401, 429),
        {200: TokensSerializer},
        request=RefreshSerializer,
        auth=[],
    )
    def post(self, request: Request) -> Response:
        given = valid(RefreshSerializer(data=request.data))
        return Response(asdict(pair_of(logins.refresh(given["refresh"]))))


class LogOutView(OpenView):
    """Ends the login of `refresh`, or of the access token where there is none."""

    throttle_classes = ()

    @schema.operation(
        "log_out",
        "Log out",
        (400, 401),
        {205: None},
        request=LogOutSerializer,
        auth=[{"access": []}, {}],
    )
    def post(self, request: Request) -> Response:
        given = valid(LogOutSerializer(data=request.data))
        self._end(request, given.get("refresh"))
        return Response(status=status.HTTP_205_RESET_CONTENT)

    def _end(self, request: Request, refresh: str | None) -> None:
        if refresh:
            try:
                return logins.log_out_by_token(refresh)
            except TokenNotValid:
                if "Authorization" not in request.headers:
                    raise
        if (admitted := LoginAuthentication().authenticate(request)) is None:
            raise NotAuthenticated
        return logins.log_out(admitted[1].login.pk)


def _origin(request: Request, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "device": given.get("device") or device_name(request),
        "address": client_address(request.META),
    }


def _logged_in(login: Login) -> Any:
    return LoggedInSerializer({**asdict(pair_of(login)), "user": login.user}).data
