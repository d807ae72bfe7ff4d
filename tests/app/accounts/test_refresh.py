"""Changing a refresh token for the next pair."""

import base64
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.db.models import F
from rest_framework.test import APIClient

from accounts.auth.tokens import pair_of
from accounts.events import LoginRevoked
from accounts.models import Login, User

pytestmark = pytest.mark.django_db


def refresh(token: Any) -> Any:
    return APIClient().post("/users/token/refresh/", {"refresh": token}, format="json")


def seconds_pass(seconds: float) -> None:
    """The last refresh was that much longer ago."""
    Login.objects.update(refreshed_at=F("refreshed_at") - timedelta(seconds=seconds))


def refused(response: Any) -> bool:
    return (response.status_code, response.json().get("code")) == (401, "token_not_valid")


def test_it_gives_a_pair_that_works(ada: Any) -> None:
    pair = ada.refreshed().json()
    assert set(pair) == {"access", "refresh"}
    assert pair["refresh"] != ada.refresh
    ada.carry(pair["access"])
    assert ada.is_let_in()
    assert refresh(pair["refresh"]).status_code == 200


def test_the_access_token_before_stays_good(ada: Any) -> None:
    ada.refreshed()
    assert ada.is_let_in()


def test_a_login_outlives_a_clock_of_the_database_that_is_put_back(ada: Any) -> None:
    login, ahead = ada.login, timedelta(seconds=20)
    Login.objects.update(first_seen=F("first_seen") + ahead, refreshed_at=F("refreshed_at") + ahead)
    login.refresh_from_db()
    pair = refresh(pair_of(login).refresh).json()
    ada.carry(pair["access"])
    assert ada.is_let_in()
    assert refresh(pair["refresh"]).status_code == 200


def test_a_repeat_within_ten_seconds_gives_the_same_pair(ada: Any) -> None:
    first = ada.refreshed().json()
    assert ada.refreshed().json() == first
    seconds_pass(9)
    again = ada.refreshed()
    assert again.status_code == 200
    assert jwt_id(again.json()["refresh"]) == jwt_id(first["refresh"])


def jwt_id(token: str) -> str:
    jti: str = jwt.decode(token, options={"verify_signature": False})["jti"]
    return jti


def test_a_repeat_after_ten_seconds_ends_the_login(
    ada: Any, phone: Any, revocations: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    pair = ada.refreshed().json()
    login = ada.login
    seconds_pass(11)
    with revocations() as heard, caplog.at_level(logging.WARNING):
        assert refused(ada.refreshed())
    assert heard == [LoginRevoked(login.user_id, login.pk, "refresh_reused")]
    assert "refresh_reused" in caplog.text
    assert not ada.is_let_in()
    assert refused(refresh(pair["refresh"]))  # whoever holds the newest is out too
    assert phone.is_let_in()


def test_a_token_of_two_generations_ago_ends_the_login_at_once(ada: Any) -> None:
    second = ada.refreshed().json()["refresh"]
    third = refresh(second).json()["refresh"]
    assert refused(ada.refreshed())
    assert refused(refresh(third))


def test_after_log_out_it_is_refused(ada: Any) -> None:
    ada.api.post("/users/logout/")
    assert refused(ada.refreshed())


def test_after_a_password_change_elsewhere_it_is_refused(ada: Any, phone: Any) -> None:
    change = {"old_password": "correct horse battery", "new_password": "another battery"}
    assert phone.api.post("/users/password/", change, format="json").status_code == 200
    assert refused(ada.refreshed())
    assert phone.refreshed().status_code == 200


def test_for_a_deleted_user_it_is_refused(ada: Any) -> None:
    User.objects.all().delete()
    assert refused(ada.refreshed())


def test_for_an_inactive_user_it_is_refused_and_stays_unused(ada: Any) -> None:
    User.objects.update(is_active=False)
    assert refused(ada.refreshed())
    seconds_pass(11)
    User.objects.update(is_active=True)
    assert ada.refreshed().status_code == 200


def test_an_access_token_refreshes_nothing(ada: Any) -> None:
    assert refused(refresh(ada.access))
    assert ada.is_let_in()


def test_a_refresh_token_opens_nothing(ada: Any) -> None:
    ada.carry(ada.refresh)
    assert not ada.is_let_in()


def forged(claims: dict[str, Any], *, key: str = "", algorithm: str = "none") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


def test_a_forged_token_is_refused(ada: Any) -> None:
    claims = jwt.decode(ada.refresh, options={"verify_signature": False})
    header, payload, signature = ada.refresh.split(".")
    key = settings.TOKEN_SIGNING_KEY
    for token in (
        forged(claims),
        forged(claims, key="another key of at least 32 bytes, really", algorithm="HS256"),
        forged(claims, key=key * 2, algorithm="HS512"),
        forged({k: v for k, v in claims.items() if k != "login"}, key=key, algorithm="HS256"),
        forged({k: v for k, v in claims.items() if k != "exp"}, key=key, algorithm="HS256"),
        forged(claims | {"login": "x"}, key=key, algorithm="HS256"),
        forged(claims | {"login": 2**70}, key=key, algorithm="HS256"),
        forged(claims | {"user_id": 999_999}, key=key, algorithm="HS256"),
        forged(claims | {"exp": 1}, key=key, algorithm="HS256"),
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature[::-1]}",
    ):
        assert refused(refresh(token)), token
    assert ada.refreshed().status_code == 200


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "...", "é", "x" * 100_000, base64.b64encode(b"[" * 100_000).decode() + ".e.e"],
)
def test_garbage_is_refused(db: None, token: str) -> None:
    assert refused(refresh(token))


@pytest.mark.parametrize(
    "body", [{}, {"refresh": None}, {"refresh": ""}, {"refresh": 5}, {"refresh": "\ud800"}, []]
)
def test_a_form_that_is_malformed_is_refused(db: None, body: Any) -> None:
    response = APIClient().post(
        "/users/token/refresh/", json.dumps(body), content_type="application/json"
    )
    assert response.status_code == 400
