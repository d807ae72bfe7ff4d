"""Views of sign-up, log-in, refresh and log-out."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
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

    @extend_schema(
        operation_id="sign_up",
        summary="Sign up",
        tags=schema.TAGS,
        auth=[],
        request=SignUpSerializer,
        responses={201: LoggedInSerializer, **schema.errors(400, 429)},
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

    @extend_schema(
        operation_id="log_in",
        summary="Log in",
        tags=schema.TAGS,
        auth=[],
        request=LogInSerializer,
        responses={
            200: LoggedInSerializer,
            **schema.errors(400, 401, 429),
            401: schema.WRONG_CREDENTIALS,
        },
    )
    def post(self, request: Request) -> Response:
        given = valid(LogInSerializer(data=request.data))
        origin = _origin(request, given)
        return Response(_logged_in(logins.sign_in(given["username"], given["password"], **origin)))


class RefreshView(OpenView):
    """Asked again within ten seconds, a token gives the same pair; later its login ends."""

    throttle_classes = (RefreshesPerAddress,)

    @extend_schema(
        operation_id="refresh_tokens",
        summary="Change a refresh token for the next pair",
        tags=schema.TAGS,
        auth=[],
        request=RefreshSerializer,
        responses={200: TokensSerializer, **schema.errors(400, 401, 429)},
    )
    def post(self, request: Request) -> Response:
        given = valid(RefreshSerializer(data=request.data))
        return Response(asdict(pair_of(logins.refresh(given["refresh"]))))


class LogOutView(OpenView):
    """Ends the login of `refresh`, or of the access token where there is none."""

    throttle_classes = ()

    @extend_schema(
        operation_id="log_out",
        summary="Log out",
        tags=schema.TAGS,
        auth=[{"access": []}, {}],  # type: ignore[list-item]  # with a token or without
        request=LogOutSerializer,
        responses={205: None, **schema.errors(400, 401)},
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
