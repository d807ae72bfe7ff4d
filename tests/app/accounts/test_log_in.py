"""Log-in, and that a refusal reveals nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher, make_password
from rest_framework.test import APIClient

from accounts.auth.credentials import verified
from accounts.exceptions import InvalidCredentials
from accounts.models import Login, User
from accounts.services import logins
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db


def post(**body: Any) -> Any:
    return APIClient().post("/users/login/", body, format="json")


@pytest.mark.parametrize(
    "name", ["ada", "ADA", " ada ", "\uff41da", "ada@example.com", "ADA@EXAMPLE.COM"]
)
def test_a_user_logs_in_by_any_spelling_of_their_name_or_address(ada: Any, name: str) -> None:
    response = post(username=name, password=PASSWORD)
    assert response.status_code == 200
    assert response.json()["user"] == ada.answer["user"]


def test_each_log_in_is_a_login_of_its_own(ada: Any, phone: Any) -> None:
    assert ada.login != phone.login
    assert list(Login.objects.order_by("pk").values_list("device", flat=True)) == [
        "Device",
        "Phone",
    ]


def test_unknown_wrong_and_inactive_are_answered_alike(
    ada: Any, sign_up: Callable[..., Any]
) -> None:
    sign_up("idle")
    User.objects.filter(username="idle").update(is_active=False)
    answers = [
        post(username="nobody", password=PASSWORD),
        post(username="nobody@example.com", password=PASSWORD),
        post(username="ada", password="wrong"),
        post(username="idle", password=PASSWORD),
        post(username="x" * 10_000, password=PASSWORD),
        post(username="<script>", password="x" * 10_000),
    ]
    assert {response.status_code for response in answers} == {401}
    bodies = [{**response.json(), "request_id": ""} for response in answers]
    assert bodies[0]["code"] == "invalid_credentials"
    assert all(body == bodies[0] for body in bodies)
    assert all(r["WWW-Authenticate"].startswith("Bearer") for r in answers)


def test_each_attempt_hashes_one_password(
    ada: Any, sign_up: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the time of an answer does not tell which names exist."""
    sign_up("idle")
    sign_up("empty")
    User.objects.filter(username="idle").update(is_active=False)
    User.objects.filter(username="empty").update(password=make_password(None))
    hashed = []
    encode = MD5PasswordHasher.encode

    def counting(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    for name in ("ada", "nobody", "idle", "empty"):
        for password in (PASSWORD, "wrong"):
            hashed.clear()
            post(username=name, password=password)
            assert len(hashed) == 1, (name, password)


@pytest.mark.parametrize("body", [{}, {"username": "ada"}, {"username": "", "password": ""}])
def test_a_form_that_is_malformed_is_refused(ada: Any, body: dict[str, Any]) -> None:
    response = post(**body)
    assert response.status_code == 400
    assert response.json()["code"] == "invalid"


def test_a_password_changed_between_the_check_and_the_login_keeps_the_old_one_out(ada: Any) -> None:
    checked = verified(ada.user, PASSWORD)
    logins.change_password(ada.login, old=PASSWORD, new="another horse battery")
    with pytest.raises(InvalidCredentials):
        logins.log_in(checked)


def test_a_user_deactivated_or_deleted_meanwhile_stays_out(ada: Any) -> None:
    checked = verified(ada.user, PASSWORD)
    User.objects.update(is_active=False)
    with pytest.raises(InvalidCredentials):
        logins.log_in(checked)
    User.objects.all().delete()
    with pytest.raises(InvalidCredentials):
        logins.log_in(checked)
