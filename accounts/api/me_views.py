"""Views of the user's own profile, password and logins."""

from typing import cast

from django.http import HttpResponse
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


class MeView(AccountView):
    """The profile: names, time zone, start of the day (minutes), reminders (seconds)."""

    @schema.operation("get_me", "My profile", (401, 429), {200: UserSerializer})
    def get(self, request: Request) -> Response:
        return Response(UserSerializer(admitted(request).user).data)

    @schema.operation(
        "change_me",
        "Change a part of my profile",
        (400, 401, 429),
        {200: UserSerializer},
        request=ProfileSerializer,
    )
    def patch(self, request: Request) -> Response:
        me = admitted(request).user
        given = valid(ProfileSerializer(me, data=request.data, partial=True))
        password = given.pop("password", None)
        changed = change_profile(me, cast(Changes, given), password=password)
        return Response(UserSerializer(changed).data)

    @schema.operation(
        "delete_me",
        "Delete my account and all that is mine",
        (400, 401, 429),
        {204: None},
        description='A body `{"password": "..."}` may be sent: a wrong one deletes nothing.',
        request=DeletionSerializer,
    )
    def delete(self, request: Request) -> Response:
        password = valid(DeletionSerializer(data=request.data)).get("password")
        logins.delete_account(admitted(request).user, password=password)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(AccountView):
    """Asks for the old password; this login stays."""

    throttle_classes = (RequestsPerUser, PasswordChangesPerUser)

    @schema.operation(
        "change_password",
        "Change my password; every other login ends",
        (400, 401, 429),
        {200: EndedSerializer},
        request=PasswordSerializer,
    )
    def post(self, request: Request) -> Response:
        given = valid(PasswordSerializer(data=request.data))
        ended = logins.change_password(
            admitted(request).login, old=given["old_password"], new=given["new_password"]
        )
        return Response({"ended": ended})


class LogOutAllView(AccountView):
    """This login stays."""

    @schema.operation(
        "log_out_everywhere",
        "End every other login of mine",
        (401, 429),
        {200: EndedSerializer},
        request=None,
    )
    def post(self, request: Request) -> Response:
        return Response({"ended": logins.log_out_everywhere(admitted(request).login)})


class LoginsView(AccountView):
    """One login is one device; this one is marked `current`."""

    @schema.operation(
        "list_logins",
        "The devices that are logged in, newest first",
        (400, 401, 429),
        {200: LoginSerializer(many=True)},
        parameters=schema.PAGE,
    )
    def get(self, request: Request) -> HttpResponse:
        mine = Login.objects.usable().filter(user=admitted(request).user)
        shown = LoginSerializer(context={"request": request})
        return listed(request, mine, shown.to_representation, newest_first=True)

    @schema.operation(
        "end_other_logins", "End every other login of mine", (401, 429), {200: EndedSerializer}
    )
    def delete(self, request: Request) -> Response:
        return Response({"ended": logins.log_out_everywhere(admitted(request).login)})


class LoginView(AccountView):
    """One device. Once it is ended its tokens are no longer good, and its sockets close."""

    @schema.operation(
        "get_login", "One device that is logged in", (401, 404, 429), {200: LoginSerializer}
    )
    def get(self, request: Request, login_id: int) -> Response:
        mine = Login.objects.usable().filter(user=admitted(request).user)
        if (login := mine.filter(pk=login_id).first()) is None:
            raise NoSuchLogin
        return Response(LoginSerializer(login, context={"request": request}).data)

    @schema.operation("end_login", "End one login of mine", (401, 404, 429), {204: None})
    def delete(self, request: Request, login_id: int) -> Response:
        logins.end_login(admitted(request).user, login_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
