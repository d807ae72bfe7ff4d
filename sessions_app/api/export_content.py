"""Writes all data of a user as one JSON document, in parts.

    {"exported_at", "profile", "logins": [], "sessions": [], "spaces": [], "events": [],
     "pictures": [{"session", "data"}]}

Rows are read in batches, from one snapshot, into a temporary file: a slow client holds neither a
transaction nor memory. Pictures follow from their own files, one at a time. They never change; one
that was deleted meanwhile is null.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import msgspec
from django.core.files.storage import default_storage
from django.db import connection, transaction
from rest_framework.request import Request

from accounts.api.base import admitted
from accounts.api.serializers import LoginSerializer, UserSerializer
from accounts.exceptions import Revoked
from accounts.models import Login, User
from runtime.database.clock import clock_time
from sessions_app.api.presenters import shown
from sessions_app.models import Session, SessionEvent, Space

SLICE = 500  # rows
IN_MEMORY = 1024 * 1024  # bytes; the rest is on the disk
PART = 64 * 1024  # bytes that are sent at once

# Fields and models of a user that are not in the export, with the reason. All others are in it:
# tests/app/sessions_app/test_export.py.
LEFT_OUT = {
    "accounts.User.password": "a hash: of use only for guessing the password",
    "accounts.User.username_key": "follows from `username`",
    "accounts.User.email_key": "follows from `email`",
    "accounts.User.is_staff": "what the operator lets the user do",
    "accounts.User.is_superuser": "what the operator lets the user do",
    "accounts.User.groups": "what the operator lets the user do",
    "accounts.User.user_permissions": "what the operator lets the user do",
    "accounts.Login.user": "it is the user's export",
    "accounts.Login.refresh_jti": "a key to the account, as long as the login stands",
    "accounts.Login.previous_jti": "a key to the account, for ten seconds",
    "sessions_app.Session.image_bytes": "the length of the picture, which is there",
    "sessions_app.Session.task_minutes": "the sum of the tasks' minutes",
    "sessions_app.Session.reminder_at": "follows from the deadline and `reminders`",
    "sessions_app.Space.user": "it is the user's export",
    "sessions_app.Space.look": "the number in the name of `image`",
    "sessions_app.SessionEvent.id": "`revision` numbers them",
    "sessions_app.SessionEvent.user": "it is the user's export",
    "admin.LogEntry": "what the staff did in the admin: the operator's record",
    "sessions_app.IdempotencyKey": "answers that were given, of what is here; kept for a day",
}
_EVENT = ("revision", "session_id", "version", "kind", "at", "device", "data")
_encoded = msgspec.json.Encoder().encode


class ExportContent:
    """The document of the request's user, in parts. The constructor reads the rows.

    Close it, whether it was read or not. Raises `Revoked` for a user who is gone.
    """

    def __init__(self, request: Request) -> None:
        self._rows: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - see `close`
        try:
            self._pictures = _write_rows(self._rows, request)
        except BaseException:
            self.close()
            raise
        self._rows.seek(0)

    def __iter__(self) -> Iterator[bytes]:
        while part := self._rows.read(PART):
            yield part
        yield b',"pictures":['
        for number, (session_id, name) in enumerate(self._pictures):
            picture = {"session": session_id, "data": _data_url(name)}
            yield b"," * bool(number) + _encoded(picture)
        yield b"]}"

    def close(self) -> None:
        self._rows.close()


def _data_url(name: str) -> str | None:
    try:
        with default_storage.open(name) as file:
            content = base64.b64encode(file.read()).decode()
    except OSError:
        return None
    return f"data:image/webp;base64,{content}"


def _write_rows(file: IO[bytes], request: Request) -> list[tuple[int, str]]:
    """All but the pictures, without the last bracket. The session and the name of each picture."""
    pictures: list[tuple[int, str]] = []
    with _snapshot():
        user = User.objects.filter(pk=admitted(request).user.pk).first()
        if user is None:
            raise Revoked
        now = clock_time()

        def sessions() -> Iterator[Any]:
            of_user = Session.objects.filter(user=user).prefetch_related("tasks").order_by("pk")
            for session in of_user.iterator(SLICE):
                if session.image.name:
                    pictures.append((session.pk, session.image.name))
                yield shown(request, session.state(now)) | {"updated_at": session.updated_at}

        logins = Login.objects.filter(user=user).order_by("pk").iterator(SLICE)
        bodies = Space.objects.filter(user=user).select_related("session").order_by("pk")
        events = SessionEvent.objects.filter(user=user).order_by("revision").values(*_EVENT)
        file.write(b'{"exported_at":' + _encoded(now) + b',"profile":' + _encoded(_profile(user)))
        _write(file, "logins", (_login(login, request) for login in logins))
        _write(file, "sessions", sessions())
        _write(file, "spaces", (shown(request, body.state()) for body in bodies.iterator(SLICE)))
        _write(file, "events", events.iterator(SLICE))
    return pictures


def _write(file: IO[bytes], name: str, rows: Iterable[Any]) -> None:
    file.write(b',"%s":[' % name.encode())
    for number, row in enumerate(rows):
        file.write(b"," * bool(number) + _encoded(row))
    file.write(b"]")


def _profile(user: User) -> dict[str, Any]:
    unused = ("first_name", "last_name", "is_active", "last_login")  # by the product, but stored
    return dict(UserSerializer(user).data) | {name: getattr(user, name) for name in unused}


def _login(login: Login, request: Request) -> dict[str, Any]:
    """Ended logins too, with when and from where."""
    shown_to_all = dict(LoginSerializer(login, context={"request": request}).data)
    return shown_to_all | {"refreshed_at": login.refreshed_at, "ended_at": login.ended_at}


@contextmanager
def _snapshot() -> Iterator[None]:
    """All reads within it see one snapshot."""
    outermost = not connection.in_atomic_block  # else the level is fixed already
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
