"""The wire and the ear themselves: they would notice."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from sessions_app.api.sky_views import SpacesView
from tests.support.api import ERROR, Answer, Api, NotAsPromised, check
from tests.support.people import Person

GOOD = b'{"error": "No.", "code": "invalid", "detail": "No.", "request_id": "r"}'
HEADERS = {"content-type": "application/json", "x-request-id": "r"}


def test_a_request_is_answered_by_the_real_application(api: Api, ada: Person) -> None:
    answer = api.ask("GET", "/nowhere/")
    assert (answer.status, answer.code) == (404, "not_found")
    assert api.ask("GET", "/healthz").json() == {"status": "ok"}


def test_an_error_as_promised_passes() -> None:
    check("GET", "/sessions/", Answer(400, HEADERS, GOOD))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, HEADERS, GOOD),
        Answer(503, HEADERS, GOOD),
        Answer(200, {"content-type": "text/html"}, b"<p>"),
        Answer(400, {"content-type": "text/html"}, b"<p>"),
        Answer(400, HEADERS, b"[]"),
        Answer(400, HEADERS, b"{}"),
        Answer(400, HEADERS, GOOD.replace(b'"r"', b'""')),
        Answer(400, HEADERS, GOOD.replace(b'"r"', b'"other"')),
        Answer(400, HEADERS, GOOD.replace(b'"detail": "No."', b'"detail": "Yes."')),
        Answer(401, HEADERS, GOOD),
        Answer(405, HEADERS, GOOD),
        Answer(429, HEADERS, GOOD),
    ],
    ids=str,
)
def test_an_answer_that_no_input_may_cause_fails_the_test(answer: Answer) -> None:
    with pytest.raises(NotAsPromised):
        check("GET", "/sessions/", answer)


def test_a_crash_would_be_answered_as_json_and_say_nothing_of_why(
    api: Api, ada: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(SpacesView, "get", crash)
    caplog.set_level(logging.CRITICAL + 1, "django.request")
    answer = api.ask("GET", "/spaces/", by=ada, checked=False)
    assert (answer.status, answer.code) == (500, "internal")
    assert answer.json().keys() == ERROR
    assert b"secret" not in answer.body
    with pytest.raises(NotAsPromised):
        api.ask("GET", "/spaces/", by=ada)
    with pytest.raises(NotAsPromised):
        ada.get("/spaces/")
