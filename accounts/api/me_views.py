"""Views of the user's own profile, password and logins."""

from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import schema
from accounts.api.base import AccountView, admitted, valid
from accounts.api.paging import listed
from accounts.api.serializers import (
    DeletionSerializer,
    EndedSerializer,
    LoginSerializer,
    PasswordSerializer,
    ProfileSerializer,
    UserSerializer,
)
from accounts.api.throttling import PasswordChangesPerUser, RequestsPerUser
from accounts.exceptions import NoSuchLogin
from accounts.models import Login
from accounts.services import logins
from accounts.services.profiles import Changes, change_profile

_COMMON: dict[str, Any] = {"tags": schema.TAGS}


class MeView(AccountView):
    """The profile: names, time zone, start of the day (minutes), reminders (seconds)."""

    @extend_schema(
        operation_id="get_me",
        summary="My profile",
        responses={200: UserSerializer, **schema.errors(401, 429)},
        **_COMMON,
    )
    def get(self, request: Request) -> Response:
        return Response(UserSerializer(admitted(request).user).data)

    @extend_schema(
        operation_id="change_me",
        summary="Change a part of my profile",
        request=ProfileSerializer,
        responses={200: UserSerializer, **schema.errors(400, 401, 429)},
        **_COMMON,
    )
    def patch(self, request: Request) -> Response:
        me = admitted(request).user
        given = valid(ProfileSerializer(me, data=request.data, partial=True))
        password = given.pop("password", None)
        changed = change_profile(me, cast(Changes, given), password=password)
        return Response(UserSerializer(changed).data)

    @extend_schema(
        operation_id="delete_me",
        summary="Delete my account and all that is mine",
        description='A body `{"password": "..."}` may be sent: a wrong one deletes nothing.',
        request=DeletionSerializer,
        responses={204: None, **schema.errors(400, 401, 429)},
        **_COMMON,
    )
    def delete(self, request: Request) -> Response:
        password = valid(DeletionSerializer(data=request.data)).get("password")
        logins.delete_account(admitted(request).user, password=password)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(AccountView):
    """Asks for the old password; this login stays."""

    throttle_classes = (RequestsPerUser, PasswordChangesPerUser)

    @extend_schema(
        operation_id="change_password",
        summary="Change my password; every other login ends",
        request=PasswordSerializer,
        responses={200: EndedSerializer, **schema.errors(400, 401, 429)},
        **_COMMON,
    )
    def post(self, request: Request) -> Response:
        given = valid(PasswordSerializer(data=request.data))
        ended = logins.change_password(
            admitted(request).login, old=given["old_password"], new=given["new_password"]
        )
        return Response({"ended": ended})


class LogOutAllView(AccountView):
    """This login stays."""

    @extend_schema(
        operation_id="log_out_everywhere",
        summary="End every other login of mine",
        request=None,
        responses={200: EndedSerializer, **schema.errors(401, 429)},
        **_COMMON,
    )
    def post(self, request: Request) -> Response:
        return Response({"ended": logins.log_out_everywhere(admitted(request).login)})


class LoginsView(AccountView):
    """One login is one device; this one is marked `current`."""

    @extend_schema(
        operation_id="list_logins",
        summary="The devices that are logged in, newest first",
        parameters=schema.PAGE,
        responses={200: LoginSerializer(many=True), **schema.errors(400, 401, 429)},
        **_COMMON,
    )
    def get(self, request: Request) -> HttpResponse:
        mine = Login.objects.usable().filter(user=admitted(request).user)
        shown = LoginSerializer(context={"request": request})
        return listed(request, mine, shown.to_representation, newest_first=True)

    @extend_schema(
        operation_id="end_other_logins",
        summary="End every other login of mine",
        responses={200: EndedSerializer, **schema.errors(401, 429)},
        **_COMMON,
    )
    def delete(self, request: Request) -> Response:
        return Response({"ended": logins.log_out_everywhere(admitted(request).login)})


class LoginView(AccountView):
    """One device. Once it is ended its tokens are no longer good, and its sockets close."""

    @extend_schema(
        operation_id="get_login",
        summary="One device that is logged in",
        responses={200: LoginSerializer, **schema.errors(401, 404, 429)},
        **_COMMON,
    )
    def get(self, request: Request, login_id: int) -> Response:
        mine = Login.objects.usable().filter(user=admitted(request).user)
        if (login := mine.filter(pk=login_id).first()) is None:
            raise NoSuchLogin
        return Response(LoginSerializer(login, context={"request": request}).data)

    @extend_schema(
        operation_id="end_login",
        summary="End one login of mine",
        responses={204: None, **schema.errors(401, 404, 429)},
        **_COMMON,
    )
    def delete(self, request: Request, login_id: int) -> Response:
        logins.end_login(admitted(request).user, login_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
