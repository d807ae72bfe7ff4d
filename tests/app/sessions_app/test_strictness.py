"""The limits of a body of a session or a task, in length and size.

Every value that a field refuses: `tests/hostile/test_rest_fields.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.people import Person


def sent(person: Person, path: str, raw: str | bytes, verb: str = "POST", **more: Any) -> Any:
    more = {"content_type": "application/json"} | more
    return person.api.generic(verb, path, raw, **more)  # type: ignore[arg-type]


# -- fields --------------------------------------------------------------------------------------


def test_every_field_that_is_missing_or_wrong_is_named_at_once(ada: Person) -> None:
    for path in ("/sessions/", f"/sessions/{ada.has_session().id}/tasks/"):
        for body in ({}, {"title": "", "duration": "x"}):
            answer = ada.post(path, body)
            assert answer.status_code == 400
            assert answer.json()["code"] == "invalid"
            assert {"title", "duration"} <= answer.json().keys()


@pytest.mark.parametrize("title", ["x" * 100, "Ünïcødé 🪐", "<b>", "'; DROP TABLE", "\u202eabc"])
def test_a_title_is_any_text_of_a_hundred_characters(ada: Person, title: str) -> None:
    answer = ada.post("/sessions/", {"title": title, "duration": 25})
    assert (answer.status_code, answer.json()["title"]) == (201, title)


@pytest.mark.parametrize("duration", [1, 1440])
def test_a_duration_is_a_minute_to_a_day(ada: Person, duration: int) -> None:
    assert ada.post("/sessions/", {"title": "W", "duration": duration}).status_code == 201


# -- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "path", "limit"),
    [
        ("POST", "/sessions/", 8 * 1024 * 1024),
        ("PUT", "/sessions/{}/", 8 * 1024 * 1024),
        ("POST", "/sessions/{}/tasks/", 256 * 1024),
        ("POST", "/sessions/{}/start/", 256 * 1024),
    ],
)
def test_a_body_over_its_limit_is_too_large(ada: Person, verb: str, path: str, limit: int) -> None:
    path = path.format(ada.has_session().id)
    answer = sent(ada, path, b" " * (limit + 1), verb)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    fits = json.dumps({"title": "W", "duration": 5}).ljust(limit)
    assert sent(ada, path, fits, verb).status_code < 300
