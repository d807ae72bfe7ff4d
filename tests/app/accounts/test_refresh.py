"""Changing a refresh token for the next pair."""

import base64
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
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


def test_a_refresh_gives_a_pair_that_works(ada: Any) -> None:
    pair = ada.refreshed().json()
    assert set(pair) == {"access", "refresh"}
    assert pair["refresh"] != ada.refresh
    assert ada.is_let_in(), "the access token before stays good"
    ada.carry(pair["access"])
    assert ada.is_let_in()
    assert refresh(pair["refresh"]).status_code == 200


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
    seconds_pass(5)  # a busy machine takes some, too
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
    with revocations() as revoked, caplog.at_level(logging.WARNING):
        assert refused(ada.refreshed())
    assert revoked == [LoginRevoked(login.user_id, login.pk, "refresh_reused")]
    assert "refresh_reused" in caplog.text
    assert not ada.is_let_in()
    assert refused(refresh(pair["refresh"]))  # the newest token is refused too
    assert phone.is_let_in()


def test_a_token_of_two_generations_ago_ends_the_login_at_once(ada: Any) -> None:
    second = ada.refreshed().json()["refresh"]
    third = refresh(second).json()["refresh"]
    assert refused(ada.refreshed())
    assert refused(refresh(third))


def test_for_an_inactive_user_it_is_refused_and_stays_unused(ada: Any) -> None:
    User.objects.update(is_active=False)
    assert refused(ada.refreshed())
    seconds_pass(11)
    User.objects.update(is_active=True)
    assert ada.refreshed().status_code == 200


@pytest.mark.parametrize(
    "token",
    ["x", "...", "é", "x" * 100_000, base64.b64encode(b"[" * 100_000).decode() + ".e.e"],
)
def test_garbage_is_refused(db: None, token: str) -> None:
    assert refused(refresh(token))
