"""A replay of what the published web client sends, from where it runs.

It is a browser program of an earlier backend, on another origin, and counts by itself: its sessions
stay `ready`. It must work against Space unchanged.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.support.people import data_url, picture

ORIGIN = "http://localhost:5173"
HOST = "127.0.0.1:8000"
CREDENTIALS = {"username": "ada", "password": "correct horse battery"}
FORM = CREDENTIALS | {"email": "ada@example.com", "confirmPassword": CREDENTIALS["password"]}
PREFLIGHTS = [
    ("POST", "/users/signup/", "content-type"),
    ("POST", "/users/login/", "content-type"),
    ("POST", "/users/token/refresh/", "content-type"),
    ("POST", "/users/logout/", "authorization,content-type"),
    ("GET", "/sessions/", "authorization"),
    ("POST", "/sessions/", "authorization,content-type"),
    ("PUT", "/sessions/1/", "authorization,content-type"),
    ("DELETE", "/sessions/1/", "authorization"),
    ("POST", "/sessions/1/tasks/", "authorization,content-type"),
    ("PUT", "/sessions/1/tasks/1/", "authorization,content-type"),
    ("DELETE", "/sessions/1/tasks/1/", "authorization"),
    ("GET", "/spaces/", "authorization"),
    ("PATCH", "/users/me/", "authorization,content-type"),
    ("POST", "/sessions/1/start/", "authorization,content-type,idempotency-key,if-match"),
]


class Browser:
    """Sends what a browser would send for the client's `fetch`, and insists on CORS as it does."""

    def __init__(self) -> None:
        self.client = Client()
        self.token: str | None = None

    def fetch(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Origin": ORIGIN, "Host": HOST, "Accept": "*/*"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        response = self.client.generic(
            method,
            path,
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers=headers,
        )
        assert response["Access-Control-Allow-Origin"] == ORIGIN
        return response

    def preflight(self, method: str, path: str, headers: str, origin: str = ORIGIN) -> Any:
        return self.client.options(
            path,
            headers={
                "Origin": origin,
                "Host": HOST,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": headers,
            },
        )


@pytest.fixture
def browser(patient: None) -> Browser:
    return Browser()


@pytest.fixture
def signed_in(browser: Browser) -> Browser:
    signup = browser.fetch("POST", "/users/signup/", FORM)
    assert signup.status_code == 201
    browser.token = signup.json()["access"]
    return browser


@pytest.mark.parametrize(("method", "path", "headers"), PREFLIGHTS)
def test_a_preflight_allows_the_published_client(
    browser: Browser, method: str, path: str, headers: str
) -> None:
    response = browser.preflight(method, path, headers)
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    assert method in response["Access-Control-Allow-Methods"]
    allowed = {name.strip() for name in response["Access-Control-Allow-Headers"].split(",")}
    assert set(headers.split(",")) <= allowed


@pytest.mark.parametrize(
    "origin", ["http://localhost:5174", "https://localhost:5173", "http://evil.example", "null"]
)
def test_no_other_origin_is_allowed(browser: Browser, origin: str) -> None:
    response = browser.preflight("POST", "/sessions/", "authorization", origin)
    assert "Access-Control-Allow-Origin" not in response


def test_signing_up_and_in(browser: Browser) -> None:
    signup = browser.fetch("POST", "/users/signup/", FORM)
    assert signup.status_code == 201
    assert {"access", "refresh", "user"} <= signup.json().keys()
    assert signup.json()["user"]["username"] == "ada"
    assert signup.json()["user"]["email"] == "ada@example.com"
    again = browser.fetch("POST", "/users/signup/", FORM)
    assert again.status_code == 400
    assert isinstance(again.json()["username"][0], str)
    login = browser.fetch("POST", "/users/login/", CREDENTIALS)
    assert login.status_code == 200
    assert login.json()["user"]["id"] == signup.json()["user"]["id"]
    wrong = browser.fetch("POST", "/users/login/", CREDENTIALS | {"password": "wrong"})
    assert wrong.status_code == 401
    assert isinstance(wrong.json()["error"], str)


def test_a_day_with_the_published_client(signed_in: Browser) -> None:
    fetch = signed_in.fetch
    assert fetch("GET", "/sessions/").json() == []

    image = data_url(picture("JPEG", (30, 20)), "jpeg")
    body = {"title": "Write", "duration": 25, "image": image, "sound": "/sounds/rain.mp3"}
    created = fetch("POST", "/sessions/", body)
    assert created.status_code == 201
    session = created.json()
    assert session["image"].startswith(f"http://{HOST}/media/")
    assert (session["title"], session["duration"], session["sound"]) == (
        *("Write", 25, "/sounds/rain.mp3"),
    )
    plain = fetch("POST", "/sessions/", {"title": "Read", "duration": 10, "sound": ""})
    assert (plain.status_code, plain.json()["image"], plain.json()["sound"]) == (201, None, "")

    edited = fetch("PUT", f"/sessions/{session['id']}/", {"title": "Wrote", "sound": ""})
    assert edited.status_code == 200
    assert (edited.json()["title"], edited.json()["image"]) == ("Wrote", session["image"])

    tasks = f"/sessions/{session['id']}/tasks/"
    first = fetch("POST", tasks, {"title": "Outline", "duration": 5})
    assert first.status_code == 201
    assert first.json()["session"] == session["id"]
    task = f"{tasks}{first.json()['id']}/"
    assert fetch("PUT", task, {"title": "Draft"}).json()["title"] == "Draft"
    assert fetch("PUT", task, {"duration": 7}).json()["duration"] == 7
    assert [t["title"] for t in fetch("GET", tasks).json()] == ["Draft"]
    too_long = fetch("POST", tasks, {"title": "Long", "duration": 60})
    assert too_long.status_code == 422
    assert isinstance(too_long.json()["error"], str)
    deleted = fetch("DELETE", task)
    assert (deleted.status_code, deleted.json()) == (200, {"message": "Task deleted"})

    listed = fetch("GET", "/sessions/").json()
    assert [s["title"] for s in listed] == ["Read", "Wrote"]
    assert all(isinstance(s["tasks"], list) for s in listed)
    assert {s["timer"]["status"] for s in listed} == {"ready"}

    assert fetch("GET", "/spaces/").json() == []
    assert fetch("GET", f"/sessions/{session['id']}/spaces/").json() == []

    gone = fetch("DELETE", f"/sessions/{session['id']}/")
    assert (gone.status_code, gone.json()) == (200, {"success": True})
    assert fetch("GET", f"/sessions/{session['id']}/").status_code == 404


def test_errors_of_a_form_can_be_shown_beside_its_fields(signed_in: Browser) -> None:
    answer = signed_in.fetch("POST", "/sessions/", {"title": "", "sound": ""})
    assert answer.status_code == 400
    for name in ("title", "duration"):
        assert all(isinstance(sentence, str) for sentence in answer.json()[name])


def test_refreshing_and_logging_out(signed_in: Browser) -> None:
    pair = signed_in.fetch("POST", "/users/login/", CREDENTIALS).json()
    next_pair = signed_in.fetch("POST", "/users/token/refresh/", {"refresh": pair["refresh"]})
    assert next_pair.status_code == 200
    assert {"access", "refresh"} <= next_pair.json().keys()
    signed_in.token = next_pair.json()["access"]
    out = signed_in.fetch("POST", "/users/logout/", {"refresh": next_pair.json()["refresh"]})
    assert out.status_code == 205
    assert signed_in.fetch("GET", "/sessions/").status_code == 401


def test_an_error_reaches_it_through_cors_too(signed_in: Browser) -> None:
    """`fetch` itself insists on the header."""
    assert signed_in.fetch("GET", "/nothing/").status_code == 404
    assert signed_in.fetch("DELETE", "/sessions/").status_code == 405
    too_large = signed_in.fetch("POST", "/sessions/1/tasks/", {"title": "x" * 300_000})
    assert too_large.status_code == 413
    signed_in.token = "stale"
    assert signed_in.fetch("GET", "/sessions/").status_code == 401
