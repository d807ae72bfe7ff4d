"""Whatever a client sends: a 4xx that says what is wrong, as JSON, and nothing changed.

Bodies that are no request, headers, paths and methods: `tests/hostile/`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions_app.models import Session, Task
from tests.support.generated import share
from tests.support.people import Person

ERROR = {"error", "code", "detail", "request_id"}
NO_WHOLE_NUMBER: list[Any] = [
    "5",
    "",
    5.0,
    5.5,
    True,
    False,
    None,
    2**70,
    -(2**70),
    [],
    [5],
    {},
    0,
    -1,
]
NO_TITLE: list[Any] = [None, "", "  ", 5, 5.5, True, [], ["x"], {}, "x" * 101, "a\0b", "\ud800"]
NO_SOUND: list[Any] = [None, 5, True, [], {}, "x" * 101, "a\0b", "\udfff"]
NO_REMINDERS: list[Any] = [
    "5",
    5,
    {},
    [0],
    [-1],
    ["5"],
    [5.0],
    [True],
    [None],
    [86_401],
    [60, 60],
    list(range(1, 12)),
    [[60]],
]
NO_BOOLEAN: list[Any] = [None, 0, 1, "true", "yes", [], {}]


def refused(answer: Any, field: str | None = None) -> None:
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert body.keys() >= ERROR
    assert body["error"] == body["detail"]
    assert body["request_id"] == answer["X-Request-Id"]
    if field is not None:
        assert body["code"] == "invalid"
        assert all(isinstance(sentence, str) for sentence in body[field])
        assert body["error"] == body[field][0]


def sent(person: Person, path: str, raw: str | bytes, verb: str = "POST", **more: Any) -> Any:
    more = {"content_type": "application/json"} | more
    return person.api.generic(verb, path, raw, **more)  # type: ignore[arg-type]


# -- fields --------------------------------------------------------------------------------------

FIELDS = [
    *(("title", value) for value in NO_TITLE),
    *(("duration", value) for value in [*NO_WHOLE_NUMBER, 1441]),
    *(("sound", value) for value in NO_SOUND),
    *(("reminders", value) for value in NO_REMINDERS),
]


@pytest.mark.parametrize(("name", "value"), FIELDS)
def test_a_session_takes_only_what_it_says(ada: Person, name: str, value: Any) -> None:
    session = ada.has_session()
    refused(sent(ada, "/sessions/", json.dumps({"title": "W", "duration": 5, name: value})), name)
    refused(sent(ada, f"/sessions/{session.id}/", json.dumps({name: value}), "PUT"), name)
    refused(sent(ada, f"/sessions/{session.id}/", json.dumps({name: value}), "PATCH"), name)
    row = Session.objects.get()
    assert (row.title, row.duration, row.version) == ("Write", 25, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("title", value) for value in NO_TITLE),
        *(("duration", value) for value in [*NO_WHOLE_NUMBER, 1441]),
        *(("done", value) for value in NO_BOOLEAN),
    ],
)
def test_a_task_takes_only_what_it_says(ada: Person, name: str, value: Any) -> None:
    path = f"/sessions/{ada.has_session().id}/tasks/"
    task = ada.post(path, {"title": "Outline", "duration": 5}).json()
    refused(sent(ada, path, json.dumps({"title": "W", "duration": 5, name: value})), name)
    refused(sent(ada, f"{path}{task['id']}/", json.dumps({name: value}), "PUT"), name)
    row = Task.objects.get()
    assert (row.title, row.duration, row.done) == ("Outline", 5, False)


@pytest.mark.parametrize("missing", ["title", "duration"])
def test_what_is_missing_is_named(ada: Person, missing: str) -> None:
    body = {"title": "Write", "duration": 25}
    del body[missing]
    refused(ada.post("/sessions/", body), missing)
    refused(ada.post(f"/sessions/{ada.has_session().id}/tasks/", body), missing)


def test_all_that_is_wrong_is_named_at_once(ada: Person) -> None:
    answer = ada.post("/sessions/", {"title": "", "duration": "x"}).json()
    assert {"title", "duration"} <= answer.keys()


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


# -- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("given_id", ["abc-1.2_3", "x" * 64])
def test_a_callers_request_id_is_kept(ada: Person, given_id: str) -> None:
    answer = ada.api.get("/nothing/", headers={"X-Request-Id": given_id})
    assert answer.json()["request_id"] == answer["X-Request-Id"] == given_id


@pytest.mark.parametrize("given_id", ["x" * 65, "a b", "<script>", "é", ""])
def test_a_request_id_that_could_do_harm_is_replaced(ada: Person, given_id: str) -> None:
    answer = ada.api.get("/nothing/", headers={"X-Request-Id": given_id})
    assert answer.json()["request_id"] == answer["X-Request-Id"] != given_id


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
