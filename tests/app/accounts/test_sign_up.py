"""Signing up, through the API."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.api.devices import device_name
from accounts.models import Login, User

pytestmark = pytest.mark.django_db

GOOD = {
    "username": "ada",
    "email": "ada@example.com",
    "password": "correct horse battery",
    "confirmPassword": "correct horse battery",  # the published client sends it
}


def post(body: Any, **headers: Any) -> Any:
    return APIClient().post("/users/signup/", body, format="json", **headers)


def test_a_sign_up_answers_with_tokens_and_the_user() -> None:
    response = post(GOOD)
    assert response.status_code == 201
    answer = response.json()
    assert set(answer) == {"access", "refresh", "user"}
    user = User.objects.get()
    assert answer["user"] == {
        "id": user.pk,
        "username": "ada",
        "email": "ada@example.com",
        "time_zone": "UTC",
        "day_start": 0,
        "reminders": [300, 60],
        "revision": 0,
        "date_joined": user.date_joined.isoformat().replace("+00:00", "Z"),
    }


def test_the_password_is_neither_answered_nor_kept() -> None:
    response = post(GOOD)
    assert GOOD["password"].encode() not in response.content
    assert GOOD["password"] not in User.objects.get().password


def test_a_stale_token_sent_along_does_no_harm() -> None:
    assert post(GOOD, HTTP_AUTHORIZATION="Bearer old.stale.token").status_code == 201


def test_a_sign_up_makes_no_staff() -> None:
    post(GOOD | {"is_staff": True, "is_superuser": True, "revision": 7, "id": 1_000_000})
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.revision) == (False, False, 0)
    assert user.pk != 1_000_000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": None}, "username"),
        ({"username": "   "}, "username"),
        ({"username": "a\x00b"}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "<b>"}, "username"),
        ({"username": "a" * 151}, "username"),
        ({"username": "\ufdfa" * 100}, "username"),  # 18 characters each, once normalised
        ({"username": "grace@example.com"}, "username"),  # another user's e-mail address
        ({"email": None}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": "a\x00@example.com"}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"password": None}, "password"),
        ({"password": "horse\x00battery"}, "password"),
        ({"password": "too short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "password123"}, "password"),
        ({"password": "73519284620"}, "password"),
        ({"username": "lovelace", "password": "lovelace12"}, "password"),
        ({"email": "countess@example.com", "password": "countess@example.com"}, "password"),
        ({"device": "x" * 65}, "device"),
        ({"device": "a\x00b"}, "device"),
    ],
)
def test_a_field_that_is_refused_is_named(change: dict[str, Any], field: str) -> None:
    response = APIClient().post(
        "/users/signup/", json.dumps(GOOD | change), content_type="application/json"
    )
    answer = response.json()
    assert response.status_code == 400, answer
    assert isinstance(answer[field][0], str)
    assert answer["code"] == "invalid"
    assert answer["error"] == answer["detail"] == answer[field][0]
    assert not User.objects.exists()


def test_a_field_that_is_missing_is_named() -> None:
    response = post({})
    assert response.status_code == 400
    assert {"username", "email", "password"} <= response.json().keys()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [*((body, "json", 400) for body in ("[]", "", "{", b"\xff")), ("a=b", "text", 415)],
)
def test_a_body_that_is_no_form_is_refused(body: str | bytes, kind: str, status: int) -> None:
    """tests/hostile/test_rest_bodies.py has more of them."""
    response = APIClient().post("/users/signup/", body, content_type=f"application/{kind}")
    assert response.status_code == status
    assert response.json()["code"] in {"invalid", "parse_error", "unsupported_media_type"}


@pytest.mark.parametrize(
    ("first", "second"),
    [("ada", "ADA"), ("Émile", "ÉMILE"), ("straße", "STRASSE"), ("ada", "\uff41\uff44\uff41")],
)
def test_a_name_is_taken_in_any_case(first: str, second: str, sign_up: Callable[..., Any]) -> None:
    sign_up(first, email="first@example.com")
    response = post(GOOD | {"username": second, "email": "second@example.com"})
    assert response.status_code == 400
    assert response.json().keys() >= {"username"}


def test_an_address_is_taken_in_any_case(sign_up: Callable[..., Any]) -> None:
    sign_up("ada", email="Ada@Example.com")
    response = post(GOOD | {"username": "grace", "email": "aDA@example.COM"})
    assert response.status_code == 400
    assert response.json().keys() >= {"email"}


def test_a_name_is_kept_as_it_is_shown_but_normalised(sign_up: Callable[..., Any]) -> None:
    sign_up("  \uff21da ", email=" ada@EXAMPLE.com ")
    user = User.objects.get()
    assert (user.username, user.email) == ("Ada", "ada@example.com")


def test_a_user_may_be_called_by_their_own_address(
    sign_up: Callable[..., Any], log_in: Callable[..., Any]
) -> None:
    sign_up("ada@example.com", email="ada@example.com")
    assert log_in("Ada@Example.com").is_let_in()


def test_spaces_belong_to_a_password(
    sign_up: Callable[..., Any], log_in: Callable[..., Any]
) -> None:
    sign_up("ada", password="  with spaces  ")
    assert log_in("ada", "  with spaces  ").is_let_in()


def test_a_device_may_name_itself(sign_up: Callable[..., Any]) -> None:
    sign_up("ada", device="Laptop")
    assert Login.objects.get().device == "Laptop"


WINDOWS = "Windows NT 10.0; Win64; x64; rv:127.0"
MAC, IPHONE = "Macintosh; Intel Mac OS X 10_15_7", "iPhone; CPU iPhone OS 17_5 like Mac OS X"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
AGENTS = {
    "": "Device",
    "curl/8.5.0": "Device",
    f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36": "Chrome on Linux",
    f"Mozilla/5.0 ({WINDOWS}) Gecko/20100101 Firefox/127.0": "Firefox on Windows",
    f"Mozilla/5.0 ({IPHONE}) {SAFARI}": "Safari on iPhone",
    f"Mozilla/5.0 ({MAC}) {CHROME} Safari/537.36 Edg/126.0.0.0": "Edge on Mac",
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {CHROME} Mobile Safari/537.36": "Chrome on Android",
}


def test_a_device_without_a_name_is_called_after_its_browser(rf: Any) -> None:
    for agent, name in AGENTS.items():
        assert device_name(rf.get("/", HTTP_USER_AGENT=agent)) == name, agent
    post(GOOD, HTTP_USER_AGENT=agent)
    assert Login.objects.get().device == name


def test_device_names_fit_the_column(rf: Any) -> None:
    assert len(device_name(rf.get("/", HTTP_USER_AGENT="Firefox/" + "x" * 9_999))) <= 64


@pytest.mark.parametrize("name", ["jeßica@example.com", "JEẞICA@example.com"])
def test_no_name_takes_the_key_of_an_address_by_a_letter_that_unfolds_into_it(
    name: str, sign_up: Callable[..., Any], log_in: Callable[..., Any]
) -> None:
    """ "ß" makes it no e-mail address, and its key that of one."""
    refused = post(GOOD | {"username": name})
    assert refused.status_code == 400
    assert refused.json()["username"]
    jessica = sign_up("jess", email="jessica@example.com")
    assert log_in("jessica@example.com").user == jessica.user
