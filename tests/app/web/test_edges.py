"""Errors that Django answers by itself, without a view or after a broken one: JSON, no details."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousFileOperation,
    TooManyFieldsSent,
)
from django.db import OperationalError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseGone,
    HttpResponseNotAllowed,
    HttpResponseServerError,
)
from django.http.multipartparser import MultiPartParserError
from django.test import Client
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.urls import urlpatterns as ours
from tests.support.api import Api, wire

HIDDEN = "geheim"
RAISED: dict[str, tuple[Exception, int, str]] = {
    "a bug": (RuntimeError(HIDDEN), 500, "internal"),
    "a recursion": (RecursionError(HIDDEN), 500, "internal"),
    "a missing thing": (Http404(HIDDEN), 404, "not_found"),
    "something forbidden": (PermissionDenied(HIDDEN), 403, "not_found"),
    "a bad request": (BadRequest(HIDDEN), 400, "invalid"),
    "a suspicion": (SuspiciousFileOperation(HIDDEN), 400, "invalid"),
    "too many fields": (TooManyFieldsSent(HIDDEN), 400, "invalid"),
    "too much data": (RequestDataTooBig(HIDDEN), 400, "invalid"),
    "a broken form": (MultiPartParserError(HIDDEN), 400, "invalid"),
}
ANSWERED = {
    "a page of an error": (HttpResponseServerError("<h1>geheim</h1>"), 500, "internal"),
    "a method": (HttpResponseNotAllowed(["GET"]), 405, "method_not_allowed"),
    "something gone": (HttpResponseGone("geheim"), 410, "invalid"),
}


def raising(request: HttpRequest, what: str) -> HttpResponse:
    raise RAISED[what][0]


def answering(request: HttpRequest, what: str) -> HttpResponse:
    return ANSWERED[what][0]


class Broken(APIView):
    authentication_classes = permission_classes = ()

    def get(self, request: Request) -> Response:
        raise OperationalError(HIDDEN)

    def post(self, request: Request) -> Response:
        raise KeyError(HIDDEN)


urlpatterns = [
    path("raises/<str:what>/", raising),
    path("answers/<str:what>/", answering),
    path("broken/", Broken.as_view()),
    *ours,
]


@pytest.fixture
def client(settings: Any) -> Client:
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


def is_ours(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"error", "code", "detail", "request_id"}
    assert body["code"] == code
    assert body["error"] == body["detail"] != ""
    assert body["request_id"] == answer["X-Request-Id"]
    assert HIDDEN not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize("what", RAISED)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_what_a_view_raises_is_json(client: Client, what: str, accept: str) -> None:
    answer = client.get(f"/raises/{what}/", headers={"Accept": accept})
    is_ours(answer, *RAISED[what][1:])


@pytest.mark.parametrize("what", ANSWERED)
def test_an_error_of_a_view_in_another_shape_is_json(client: Client, what: str) -> None:
    answer = client.get(f"/answers/{what}/")
    is_ours(answer, *ANSWERED[what][1:])
    assert what != "a method" or answer["Allow"] == "GET"


def test_a_view_of_the_api_that_breaks_is_json(client: Client) -> None:
    is_ours(client.post("/broken/"), 500, "internal")


def test_a_clients_request_id_is_kept_unless_it_could_do_harm(client: Client) -> None:
    harmful = {"x" * 65, "a b", "<script>", "é", ""}
    for given in {"abc-1.2_3", "x" * 64} | harmful:
        answer = client.get("/nothing/", headers={"X-Request-Id": given})
        assert answer.json()["request_id"] == answer["X-Request-Id"]
        assert (answer["X-Request-Id"] == given) == (given not in harmful), given


METHODS = ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get", "G\u00e4T"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/", "/docs/", "/docs", "/schema/", "/nowhere/", "/media/x"])
def test_odd_methods_are_refused_in_json(client: Client, method: str, path: str) -> None:
    answer = client.generic(method, path)
    if method == "get" and answer.status_code < 400:
        return  # Django takes it for GET
    assert answer.status_code in {404, 405}
    is_ours(answer, answer.status_code, answer.json()["code"])


@pytest.fixture
def raw_wire() -> Iterator[Api]:
    with wire() as one:
        yield one


@pytest.mark.parametrize(
    "target", [b"/sessions/?\xff", b"/?q=\xe4\xf6", b"/nowhere/?%ff", b"/\xff/?\xff"]
)
def test_a_query_that_is_not_text_is_refused(raw_wire: Api, target: bytes) -> None:
    answer = raw_wire.ask("GET", target)
    assert answer.status in {200, 400, 401, 404}


@pytest.mark.django_db
def test_invalid_forms_are_refused_in_json(client: Client) -> None:
    many = "&".join(f"f{n}=1" for n in range(2_000))
    kind = "application/x-www-form-urlencoded"
    is_ours(client.post("/admin/login/", many, content_type=kind), 400, "invalid")
    broken = "multipart/form-data; boundary="
    is_ours(client.post("/admin/login/", b"--x", content_type=broken), 400, "invalid")
