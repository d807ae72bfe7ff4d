"""The content of log lines, and data that they never show."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from config.urls import urlpatterns as ours
from ops.logs import OUTAGE_ENDS_AFTER_S, Json, Lines, OneLinePerOutage, RepeatLimit
from runtime import log_context
from tests.support.people import Person, signed_up

FORGERY = "/a\nERROR forged: b\r\x1b[31m\x85\u2028c"


@contextmanager
def listening(formatter: logging.Formatter) -> Iterator[Callable[[], list[str]]]:
    """All log lines, at any level, as they would be written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lambda: stream.getvalue().split("\n")[:-1]
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def lines_of(read: Callable[[], list[str]], logger: str) -> list[dict[str, Any]]:
    parsed = [json.loads(line) for line in read()]
    return [line for line in parsed if line["logger"] == logger]


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("something\nbroke")


urlpatterns = [path("broken/", broken), *ours]


@pytest.fixture
def client(settings: Any) -> Client:
    settings.LOG_REQUESTS = True
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


@pytest.fixture
def ada(db: None) -> Person:
    return signed_up("ada")


# -- lines ---------------------------------------------------------------------------------------


def test_in_production_a_line_is_an_object() -> None:
    with listening(Json()) as read:
        logging.getLogger("anybody").warning("went %s", "wrong", extra={"secret": "of a library"})
    (line,) = read()
    said = json.loads(line)
    assert said.pop("time").endswith("Z")
    assert said == {"level": "WARNING", "logger": "anybody", "message": "went wrong"}


def test_our_own_loggers_add_their_values() -> None:
    with listening(Json()) as read:
        logging.getLogger("space.security").info("x", extra={"login": 7, "who": "ada@example.com"})
    said = json.loads(read()[0])
    assert (said["login"], said["who"]) == (7, "[e-mail]")


def test_the_name_of_a_process_is_a_field() -> None:
    record = logging.LogRecord("server-2 uvicorn.error", 40, "", 1, "late", (), None)
    said = json.loads(Json().format(record))
    assert (said["process"], said["logger"]) == ("server-2", "uvicorn.error")


def test_in_development_a_line_is_a_sentence() -> None:
    with listening(Lines()) as read, log_context.request("r1"):
        logging.getLogger("anybody").warning("went %s", "wrong")
    (line,) = read()
    assert line.endswith("WARNING anybody: went wrong [request_id=r1]")


@pytest.mark.parametrize("formatter", [Lines(), Json()])
def test_nobody_forges_a_line(formatter: logging.Formatter) -> None:
    with listening(formatter) as read:
        logging.getLogger("anybody").warning("not found: %s", FORGERY)
        logging.getLogger("space.any").warning("x", extra={"path": FORGERY, "lone": "\ud800"})
    assert len(read()) == 2
    for line in read():
        assert len(line.splitlines()) == 1
        assert line.isprintable()
    if isinstance(formatter, Json):
        assert json.loads(read()[1])["path"] == FORGERY


@pytest.mark.parametrize("formatter", [Lines(), Json()])
def test_an_exception_cannot_forge_a_line(formatter: logging.Formatter) -> None:
    with listening(formatter) as read:
        try:
            raise RuntimeError(FORGERY)
        except RuntimeError:
            logging.getLogger("anybody").exception("failed")
    first, *others = read()
    assert "failed" in first
    assert all(line.startswith("    ") for line in others)
    assert not any("\x1b" in line for line in read())


def test_the_cause_and_each_part_of_an_exception_are_shown() -> None:
    with listening(Lines()) as read:
        try:
            raise ExceptionGroup("two", [ValueError("one"), KeyError("other")]) from KeyError("in")
        except ExceptionGroup:
            logging.getLogger("anybody").exception("failed")
    text = "\n".join(read())
    assert text.index("KeyError: 'in'") < text.index("which led to") < text.index("ValueError: one")
    assert "KeyError: 'other'" in text


def test_exceptions_that_cause_each_other_end() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    with listening(Lines()) as read:
        logging.getLogger("anybody").error("failed", exc_info=one)
    assert len(read()) < 10


@pytest.mark.django_db
def test_an_error_of_the_database_does_not_quote_the_row(ada: Person) -> None:
    with listening(Json()) as read, connection.cursor() as cursor:
        try:
            cursor.execute(
                "INSERT INTO accounts_user SELECT * FROM accounts_user WHERE id = %s",
                [ada.user_id],
            )
        except IntegrityError as error:
            quoted = str(error)
            logging.getLogger("anybody").exception("a row was refused: %s", error)
    assert "DETAIL" in quoted
    assert str(ada.user_id) in quoted.partition("DETAIL")[2]
    said = json.loads(read()[0])
    assert said["message"].startswith("a row was refused: duplicate key")
    assert "DETAIL" not in said["message"] + said["exception"]
    assert "IntegrityError: duplicate key" in said["exception"]


def test_a_token_or_an_e_mail_address_is_left_out_and_a_long_message_cut() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJl"
    with listening(Lines()) as read:
        logging.getLogger("anybody").warning("/x/%s of Ada <ada.l+x@mail.example.com>", token)
        logging.getLogger("anybody").warning("x" * 1_000_000)  # noqa: G004, RUF100
    assert "/x/[token] of Ada <[e-mail]>" in read()[0]
    assert len(read()[1]) < 10_000


def test_an_outage_is_one_line_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    logger = logging.getLogger("tests.outage")
    logger.addFilter(OneLinePerOutage(now=lambda: now))
    for _ in range(5):
        logger.error("lost", exc_info=OSError("refused"))
        now += OUTAGE_ENDS_AFTER_S - 1
    logger.warning("something else")
    now += OUTAGE_ENDS_AFTER_S
    logger.error("again", exc_info=OSError("refused"))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        *("lost", "something else", "again")
    ]
    assert {record.exc_info for record in caplog.records} == {None}


# -- requests ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_request_has_a_line(client: Client, ada: Person) -> None:
    with listening(Json()) as read:
        header = ada.api._credentials
        response = client.get("/users/me/?q=hidden", headers={"X-Request-Id": "mine"}, **header)
    (line,) = lines_of(read, "space.requests")
    assert line["request_id"] == response["X-Request-Id"] == "mine"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/users/me/", 200)
    assert line["user"] == ada.user_id
    assert line["bytes"] == len(response.content)
    assert line["ms"] >= 0
    assert "hidden" not in "".join(read())


@pytest.mark.django_db
def test_a_path_is_logged_by_its_route(client: Client) -> None:
    with listening(Json()) as read:
        client.get("/sessions/77/")
        client.get("/no/such" + "/x" * 5_000)
        client.generic("A" * 5_000, "/")  # uvicorn accepts known methods only, Daphne any
    known, unknown, odd = lines_of(read, "space.requests")
    assert (odd["method"], len(odd["message"]) < 100) == ("A" * 20, True)
    assert "77" not in known["path"]
    assert known["status"] == 401
    assert "user" not in known
    assert unknown["path"].startswith("/no/such/x")
    assert len(unknown["path"]) == 200


def test_the_lines_of_requests_can_be_switched_off(client: Client, settings: Any) -> None:
    settings.LOG_REQUESTS = False
    with listening(Json()) as read:
        client.get("/")
    assert lines_of(read, "space.requests") == []


@pytest.mark.parametrize("formatter", [Lines(), Json()])
def test_a_request_cannot_forge_a_line(client: Client, formatter: logging.Formatter) -> None:
    with listening(formatter) as read:
        client.generic("GET\n\x1b[1m", f"/nowhere{FORGERY}", headers={"X-Request-Id": "a\nb"})
    (line,) = (line for line in read() if "space.requests" in line)
    assert line.isprintable()


def test_a_view_that_breaks_is_logged_with_the_id_that_the_client_gets(client: Client) -> None:
    with listening(Json()) as read:
        response = client.post("/broken/?q=hidden", {"password": "hidden"}, "application/json")
    assert response.status_code == 500
    body = response.json()
    assert body["code"] == "internal"
    assert body["request_id"] == response["X-Request-Id"]
    assert "broke" not in response.content.decode()
    (error,) = lines_of(read, "django.request")
    assert error["request_id"] == body["request_id"]
    assert "RuntimeError: something\\nbroke" in error["exception"]
    assert "Traceback" in error["exception"]
    assert "hidden" not in "".join(read())


def test_a_line_after_a_request_does_not_name_it(client: Client) -> None:
    client.get("/")
    assert log_context.current() == {}


# -- repeated lines ------------------------------------------------------------------------------


def line(text: str, *values: object, level: int = logging.ERROR, name: str = "realtime") -> Any:
    return logging.LogRecord(name, level, __file__, 1, text, values, None)


def test_a_repeated_problem_has_ten_lines_a_minute_and_then_a_count() -> None:
    now = 0.0
    limit = RepeatLimit(now=lambda: now)
    passed = [limit.filter(line("away: %s", number)) for number in range(1_000)]
    assert passed.count(True) == 10
    assert limit.filter(line("something else"))
    now = 61.0
    again = line("away: %s", 7)
    assert limit.filter(again)
    assert Lines().format(again).endswith("away: 7 (and 990 more like it before, left out)")


def test_events_are_never_left_out() -> None:
    limit = RepeatLimit(now=lambda: 0.0)
    for record in (
        line("limit_reached", level=logging.WARNING, name="server-2 space.security"),
        line("started", level=logging.INFO),
    ):
        assert all(limit.filter(record) for _ in range(100))


def test_ever_different_messages_take_no_more_memory() -> None:
    limit = RepeatLimit(now=lambda: 0.0)
    for number in range(5_000):
        limit.filter(line(f"away: {number}"))
    assert len(limit._seen) <= 500
