"""A body of a session or a task: its limits in length and size, and anything that JSON can hold.

Every value that a field refuses: `tests/hostile/test_rest_fields.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.generated import share
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


# -- anything ------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = [
    "title",
    "duration",
    "image",
    "sound",
    "reminders",
    "done",
    "version",
    "replace",
    "seconds",
]


@given(
    body=st.dictionaries(st.sampled_from(NAMES), ANYTHING) | ANYTHING,
    where=st.sampled_from(
        [
            ("POST", "/sessions/"),
            ("PUT", "/sessions/{}/"),
            ("POST", "/sessions/{}/tasks/"),
            ("POST", "/sessions/{}/start/"),
            ("POST", "/sessions/{}/extend/"),
            ("POST", "/sessions/{}/repeat/"),
            ("DELETE", "/sessions/{}/"),
        ]
    ),
    key=st.booleans(),
)
@settings(max_examples=share(80), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_sent_is_our_fault(
    ada: Person, body: Any, where: tuple[str, str], key: bool
) -> None:
    verb, path = where
    session = ada.has_session()
    headers = {"Idempotency-Key": str(session.id)} if key else {}
    answer = sent(ada, path.format(session.id), json.dumps(body), verb, headers=headers)
    assert answer.status_code < 500
    assert isinstance(answer.json(), dict)
