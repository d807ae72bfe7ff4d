"""The list of logins, and the ends of a login."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from accounts.events import LoginRevoked, login_revoked
from accounts.models import Login
from accounts.services import logins
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db


def test_a_user_sees_their_devices_and_which_one_asks(ada: Any, phone: Any, eve: Any) -> None:
    shown = {row["id"]: row for row in phone.api.get("/users/me/logins/").json()}
    assert set(shown) == {ada.login.pk, phone.login.pk}
    mine = shown[phone.login.pk]
    assert set(mine) == {"id", "device", "address", "first_seen", "last_seen", "current"}
    assert (mine["device"], mine["address"], mine["current"]) == ("Phone", "127.0.0.1", True)
    assert not shown[ada.login.pk]["current"]


def test_a_login_that_has_ended_is_not_shown(ada: Any, phone: Any) -> None:
    phone.api.post("/users/logout/")
    assert [row["id"] for row in ada.api.get("/users/me/logins/").json()] == [ada.login.pk]


def test_logging_out_ends_this_login_only(
    ada: Any, phone: Any, revocations: Callable[..., Any]
) -> None:
    login = ada.login
    with revocations() as revoked:
        response = ada.api.post("/users/logout/")
    assert (response.status_code, response.content) == (205, b"")
    assert revoked == [LoginRevoked(login.user_id, login.pk, "logged_out")]
    assert not ada.is_let_in()
    assert ada.refreshed().status_code == 401
    assert phone.is_let_in()


def test_logging_out_twice_is_no_mistake(ada: Any, api: Any) -> None:
    for _ in range(2):
        response = api.post("/users/logout/", {"refresh": ada.refresh}, format="json")
        assert response.status_code == 205


def test_a_stale_access_token_does_not_prevent_a_log_out(ada: Any, api: Any) -> None:
    response = api.post(
        "/users/logout/",
        {"refresh": ada.refresh},
        format="json",
        HTTP_AUTHORIZATION="Bearer stale.access.token",
    )
    assert response.status_code == 205
    assert not ada.is_let_in()


@pytest.mark.parametrize("refresh", ["", None, "garbage"])
def test_without_a_good_refresh_token_this_login_ends(ada: Any, refresh: str | None) -> None:
    response = ada.api.post("/users/logout/", {"refresh": refresh}, format="json")
    assert response.status_code == 205
    assert not ada.is_let_in()


@pytest.mark.parametrize(("body", "status"), [({}, 401), ({"refresh": "x"}, 401), ([], 400)])
def test_a_log_out_needs_a_token(api: Any, body: Any, status: int) -> None:
    response = api.post("/users/logout/", body, format="json")
    assert response.status_code == status
    assert status != 401 or response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("post", "logout-all/", (200, b'{"ended":1}')),
        ("delete", "me/logins/", (200, b'{"ended":1}')),
        ("delete", "me/logins/{}/", (204, b"")),
    ],
)
def test_the_other_logins_of_a_user_or_one_of_them_can_be_ended(
    ada: Any, phone: Any, eve: Any, revocations: Any, method: str, path: str, answer: Any
) -> None:
    other = phone.login
    with revocations() as revoked:
        response = getattr(ada.api, method)(f"/users/{path.format(other.pk)}")
    assert (response.status_code, response.content) == answer
    assert revoked == [LoginRevoked(other.user_id, other.pk, "ended_elsewhere")]
    assert [device.is_let_in() for device in (ada, phone, eve)] == [True, False, True]


def test_a_login_of_another_user_does_not_exist(ada: Any, phone: Any, eve: Any) -> None:
    ended = phone.login.pk
    phone.api.post("/users/logout/")
    answers = [
        ada.api.delete(f"/users/me/logins/{login}/")
        for login in (eve.login.pk, ended, 999_999, 2**63, 10**17)
    ]
    assert {response.status_code for response in answers} == {404}
    assert len({response.json()["error"] for response in answers}) == 1
    assert {response.json()["code"] for response in answers} == {"not_found"}
    assert eve.is_let_in()


def test_a_new_password_ends_every_other_login(
    ada: Any, phone: Any, log_in: Callable[..., Any], revocations: Callable[..., Any]
) -> None:
    other = phone.login
    with revocations() as revoked:
        response = ada.api.post(
            "/users/password/",
            {"old_password": PASSWORD, "new_password": "another battery"},
            format="json",
        )
    assert (response.status_code, response.json()) == (200, {"ended": 1})
    assert revoked == [LoginRevoked(other.user_id, other.pk, "password_changed")]
    assert ada.is_let_in()
    assert not phone.is_let_in()
    assert log_in("ada", "another battery").is_let_in()


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("wrong", "another battery", "old_password"),
        (PASSWORD, "short", "new_password"),
        (PASSWORD, "ada@example.com", "new_password"),
        (PASSWORD, "x" * 129, "new_password"),
    ],
)
def test_a_password_that_is_refused_changes_nothing(
    ada: Any, phone: Any, old: Any, new: Any, field: str
) -> None:
    body = {"old_password": old, "new_password": new}
    response = ada.api.post("/users/password/", body, format="json")
    assert response.status_code == 400
    assert field in response.json()
    assert phone.is_let_in()
    assert ada.user.check_password(PASSWORD)


def test_nothing_is_announced_before_the_commit(ada: Any, revocations: Callable[..., Any]) -> None:
    with revocations() as revoked, transaction.atomic():
        logins.log_out(ada.login.pk)
        assert revoked == []
    assert len(revoked) == 1


def test_a_login_ends_once(ada: Any, revocations: Callable[..., Any]) -> None:
    login = ada.login
    logins.log_out(login.pk)
    ended_at = Login.objects.get().ended_at
    with revocations() as revoked:
        logins.log_out(login.pk)
    assert revoked == []
    assert Login.objects.get().ended_at == ended_at


def test_a_receiver_that_fails_changes_nothing(
    ada: Any, revocations: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("no wire")

    login_revoked.connect(broken)
    try:
        with revocations() as revoked:
            assert ada.api.post("/users/logout/").status_code == 205
    finally:
        login_revoked.disconnect(broken)
    assert len(revoked) == 1
    assert "no wire" in caplog.text
    assert not ada.is_let_in()
