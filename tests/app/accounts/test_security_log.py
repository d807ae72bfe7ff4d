"""The events in the security log, and that it contains no secret."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.security_log import pseudonym, record
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[..., Any]:
    """The events of the security log so far, as (event, details)."""
    caplog.set_level(logging.INFO, "space.security")

    def logged() -> list[tuple[str, dict[str, Any]]]:
        lines: list[Any] = [r for r in caplog.records if r.name == "space.security"]
        assert all("\n" not in line.getMessage() for line in lines)
        keys = ("user", "login", "address", "who", "reason", "limit")
        return [(x.event, {k: getattr(x, k) for k in keys if hasattr(x, k)}) for x in lines]

    return logged


def post(path: str, address: str = "192.0.2.1", **body: Any) -> Any:
    return APIClient().post(f"/users/{path}/", body, format="json", REMOTE_ADDR=address)


def test_log_ins_are_logged_with_user_and_address(logged: Callable[..., Any]) -> None:
    body = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
    user = post("signup", **body).json()["user"]["id"]
    post("login", username="ada", password=PASSWORD)
    events = logged()
    assert [event for event, _ in events] == ["signed_up", "logged_in"]
    for _, details in events:
        assert details["user"] == user
        assert details["address"] == "192.0.2.1"
        assert isinstance(details["login"], int)


def test_failed_log_ins_of_one_name_can_be_found_together(
    ada: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "space.security")
    for name in ("ada", "ADA", "my secret passphrase"):
        post("login", username=name, password="a guess that is wrong")
    lines = [r.getMessage() for r in caplog.records if r.name == "space.security"][-3:]
    first = f"log_in_failed address=192.0.2.1 who={pseudonym('ada')}"
    assert lines[:2] == [first, first]
    assert lines[2] != first


def test_a_wrong_old_password_is_logged_as_such(ada: Any, logged: Callable[..., Any]) -> None:
    change = {"old_password": "guess", "new_password": "another battery"}
    assert ada.api.post("/users/password/", change, format="json").status_code == 400
    assert logged()[-1][0] == "password_wrong"


def test_a_reached_limit_is_logged_once_in_its_minute(
    ada: Any, logged: Callable[..., Any], settings: Any
) -> None:
    settings.LIMIT_FAILED_LOGINS_PER_MINUTE = 2
    for _ in range(5):
        post("login", username="ada", password="guess")
    settings.LIMIT_REFRESHES_PER_MINUTE = 1
    for _ in range(5):
        post("token/refresh", refresh="garbage")
    limits = [details["limit"] for event, details in logged() if event == "limit_reached"]
    assert limits == ["failed log-ins", "refreshes"]


def test_the_end_of_a_login_is_logged_with_its_reason(
    ada: Any, phone: Any, logged: Callable[..., Any], revocations: Callable[..., Any]
) -> None:
    other = phone.login
    change = {"old_password": PASSWORD, "new_password": "another battery"}
    with revocations():
        ada.api.post("/users/password/", change, format="json")
    events = dict(logged())
    assert events["password_changed"]["user"] == ada.user.pk
    assert events["login_ended"] | {"address": ""} == {
        "user": other.user_id,
        "login": other.pk,
        "reason": "password_changed",
        "address": "",
    }


def test_no_secret_is_logged(
    ada: Any, caplog: pytest.LogCaptureFixture, revocations: Callable[..., Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = [PASSWORD, "another battery", "a wrong guess", "ada@example.com", ada.access]
    with revocations():
        post("login", username="ada@example.com", password="a wrong guess")
        change = {"old_password": PASSWORD, "new_password": "another battery"}
        ada.api.post("/users/password/", change, format="json")
        pair = ada.refreshed().json()
        ada.api.post("/users/logout/", {"refresh": pair["refresh"]}, format="json")
    secrets += [ada.refresh, *pair.values()]
    for line in caplog.records:
        if line.name == "space.security":
            assert not [s for s in secrets if s in f"{line.getMessage()} {vars(line)}"]


def test_outside_of_a_request_there_is_no_address(logged: Callable[..., Any]) -> None:
    record("login_ended", user=7, login=None, reason="account_deactivated")
    assert logged() == [("login_ended", {"user": 7, "reason": "account_deactivated"})]
