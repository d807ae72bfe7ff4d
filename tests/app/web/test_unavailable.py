"""Errors of a PostgreSQL that cannot work now: 503, with the time to try again.

Each error is raised by a real server, under its own code.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.test import Client
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime.protocol.messages import Command, Error
from realtime.sockets import commands
from runtime.database import pool
from sessions_app.ledger import Actor

FOR_A_MOMENT = {
    "08006": "connection_failure",
    "25006": "read_only_sql_transaction: a failover, or a disk that is full",
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "40001": "serialization_failure",
    "40P01": "deadlock_detected",
    "53000": "insufficient_resources",
    "53100": "disk_full",
    "53200": "out_of_memory",
    "53300": "too_many_connections",
    "55P03": "lock_not_available: lock_timeout",
    "57014": "query_canceled: statement_timeout",
    "57P01": "admin_shutdown",
    "57P02": "crash_shutdown",
    "57P03": "cannot_connect_now: starting, or in recovery",
    "57P04": "database_dropped",
    "58030": "io_error",
}
A_BUG = {
    "22P02": "invalid_text_representation",
    "42P01": "undefined_table",
    "42501": "insufficient_privilege",
    "XX000": "internal_error",
}
BROKEN = {
    "08006",
    "25006",
    "57P01",
    "57P02",
    "57P03",
    "57P04",
}  # other connections may be broken too


def say(code: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'geheim' USING ERRCODE = '{code}'; END $$")


class Asking(APIView):
    authentication_classes = permission_classes = ()

    def get(self, request: Request, code: str) -> Response:
        say(code)
        return Response()


urlpatterns = [path("asking/<str:code>/", Asking.as_view())]


@pytest.fixture
def client(settings: Any, db: None) -> Client:
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("code", FOR_A_MOMENT)
def test_a_passing_error_is_503_with_retry_after(client: Client, code: str) -> None:
    answer = client.get(f"/asking/{code}/")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer["Retry-After"]) > 0
    assert "geheim" not in answer.content.decode()


@pytest.mark.parametrize("code", A_BUG)
def test_an_error_that_would_come_again_is_500(client: Client, code: str) -> None:
    answer = client.get(f"/asking/{code}/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "Retry-After" not in answer


@pytest.mark.django_db
@pytest.mark.parametrize("code", FOR_A_MOMENT)
async def test_a_command_on_the_socket_gets_unavailable(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "command", lambda *_, **__: say(code))
    frame = Command(id="1", session=1, action="pause")
    answer = await commands.perform(frame, Actor(1), on_done=lambda _: None)
    assert isinstance(answer, Error)
    assert answer.code == "unavailable"


@pytest.mark.django_db
@pytest.mark.parametrize("code", FOR_A_MOMENT)
def test_only_an_error_that_may_have_broken_all_connections_renews_them(
    code: str,
) -> None:
    with pytest.raises(DatabaseError) as failure:
        say(code)
    assert pool.is_transient(failure.value)
    assert pool._lost(failure.value) is (code in BROKEN)
