"""A new password by a link that is sent by mail."""

import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core.mail import EmailMessage
from rest_framework.test import APIClient

from accounts.events import LoginRevoked
from accounts.mail import queue
from accounts.models import User
from accounts.services import password_reset
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db
NEW = "a shorter walk at dawn"
LINK = re.compile(r"http://testserver/#reset/([^/\s]+)/([^/\s]+)")
ANSWER = "If there is an account with this address, a link to a new password is on its way to it."


def request_link(email: Any = "ada@example.com", **headers: str) -> Any:
    return APIClient().post("/users/password/reset/", {"email": email}, format="json", **headers)


def confirm(uid: Any, token: Any, new_password: Any = NEW) -> Any:
    body = {"uid": uid, "token": token, "new_password": new_password}
    return APIClient().post("/users/password/reset/confirm/", body, format="json")


def parts(message: EmailMessage) -> tuple[str, str]:
    """The uid and the token of the link."""
    found = LINK.search(str(message.body))
    assert found, message.body
    return found[1], found[2]


@pytest.fixture
def link(ada: Any, mails: list[EmailMessage]) -> tuple[str, str]:
    """What Ada finds in the link that she was sent."""
    assert request_link().status_code == 202
    return parts(mails.pop())


# -- asking --------------------------------------------------------------------------------------


def test_the_link_is_sent_to_the_stored_address(
    ada: Any, eve: Any, mails: list[EmailMessage]
) -> None:
    answer = request_link("  ADA@Example.COM ")
    assert (answer.status_code, answer.json()) == (202, {"detail": ANSWER})
    (message,) = mails
    assert message.to == ["ada@example.com"]
    assert message.subject == "Your new password for Space"
    assert "Hello ada," in message.body
    assert LINK.search(str(message.body))


@pytest.mark.parametrize(
    "email",
    [
        "nobody@example.com",
        "inactive@example.com",
        "not an address",
        "ada",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com, eve@example.com",
        "x" * 1000,
        "\u0430da@example.com",  # a Cyrillic message that looks like an a
    ],
)
def test_other_addresses_get_the_same_answer_and_no_mail(
    ada: Any, sign_up: Callable[..., Any], mails: list[EmailMessage], email: str
) -> None:
    User.objects.filter(pk=sign_up("inactive").user.pk).update(is_active=False)
    answer = request_link(email)
    assert (answer.status_code, answer.json()) == (202, {"detail": ANSWER})
    assert mails == []


def test_nothing_of_a_known_address_is_done_before_the_answer(
    ada: Any, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    put: list[Any] = []
    monkeypatch.setattr(queue, "put", put.append)
    with django_assert_num_queries(0):
        for email in ("ada@example.com", "nobody@example.com"):
            assert request_link(email).status_code == 202
    assert len(put) == 2


def test_the_link_does_not_use_the_host_of_the_request(
    ada: Any, mails: list[EmailMessage], settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = "https://space.example"
    request_link(HTTP_HOST="evil.example")
    assert "https://space.example/#reset/" in str(mails[0].body)
    assert "evil" not in str(mails[0].message())


def test_without_a_public_url_production_sends_no_link(
    ada: Any, mails: list[EmailMessage], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEVELOPMENT = False
    assert request_link().status_code == 202
    assert mails == []
    assert "PUBLIC_URL" in caplog.text


def test_links_to_one_user_are_limited_without_a_sign_of_it(
    ada: Any, mails: list[EmailMessage], settings: Any
) -> None:
    settings.LIMIT_RESET_MAILS_PER_HOUR = 2
    assert [request_link().json() for _ in range(4)] == [{"detail": ANSWER}] * 4
    assert len(mails) == 2


def test_the_log_of_a_reset_names_no_user(
    ada: Any, link: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        request_link()
        confirm(*link)
    logged = caplog.text
    for secret in ("ada@example.com", link[1], NEW):
        assert secret not in logged
    assert "password_reset_asked" in logged
    assert " password_reset address=" in logged


# -- using the link ------------------------------------------------------------------------------


def test_the_link_sets_a_password_and_ends_every_login(
    ada: Any,
    phone: Any,
    eve: Any,
    link: Any,
    log_in: Callable[..., Any],
    revocations: Callable[..., Any],
) -> None:
    user = ada.user.pk
    logins = [ada.login.pk, phone.login.pk]
    with revocations() as revoked:
        answer = confirm(*link)
    assert (answer.status_code, answer.json()) == (200, {"ended": 2})
    assert revoked == [LoginRevoked(user, login, "password_reset") for login in logins]
    assert not ada.is_let_in()
    assert ada.refreshed().status_code == 401
    assert not phone.is_let_in()
    assert eve.is_let_in()
    assert log_in("ada", NEW).is_let_in()
    old = {"username": "ada", "password": PASSWORD}
    assert APIClient().post("/users/login/", old, format="json").status_code == 401


def test_the_link_is_good_once(link: Any) -> None:
    assert confirm(*link).status_code == 200
    again = confirm(*link, "another long password")
    assert (again.status_code, again.json()["code"]) == (400, "invalid")
    assert User.objects.get().check_password(NEW)


def test_a_weak_password_does_not_use_the_link_up(link: Any) -> None:
    for weak in ("short", "ada@example.com", "1234567890123", "x" * 129):
        refused = confirm(*link, weak)
        assert refused.status_code == 400
        assert "new_password" in refused.json()
    assert confirm(*link).status_code == 200


def test_a_link_lasts_an_hour(link: Any) -> None:
    now = password_reset._tokens._now()
    for later, status in ((3601 + 5, 400), (3600 - 30, 200)):
        then = now + timedelta(seconds=later)
        with patch.object(password_reset._tokens, "_now", lambda then=then: then):
            assert confirm(*link).status_code == status


@pytest.mark.parametrize(
    "change", [{"email": "b@example.com"}, {"is_active": False}, {"password": "another"}]
)
def test_a_change_of_the_user_ends_their_link(link: Any, change: dict[str, Any]) -> None:
    User.objects.update(**change)
    assert confirm(*link).status_code == 400


def test_a_link_to_one_user_opens_no_other(ada: Any, eve: Any, link: Any) -> None:
    eves = password_reset.link(eve.user, "x").split("/")[-2]
    assert confirm(eves, link[1]).status_code == 400
    assert eve.user.check_password(PASSWORD)


def test_any_wrong_link_is_answered_the_same(ada: Any, link: Any) -> None:
    uid, token = link
    wrong = [(uid, bad) for bad in ("abc-def", "-", "x", "c" * 200)]
    wrong += [(uid, prefix + "0" * 32) for prefix in ("zzzzzzzzzzzzz-", "é-")]
    wrong += [(bad, token) for bad in ("MA", "LTE", "_____", "=", "A", "é")]
    wrong += [
        ("OTk5OTk5OTk5", token),  # nobody's: 999999999
        ("OTk5OTk5OTk5OTk5OTk5OTk5OQ", token),  # beyond what an id can be
        *((digit, token) for digit in ("4pGg", "wrYy")),  # digits, but none of ours
    ]
    answers = []
    for number, pair in enumerate(wrong):
        answer = confirm(*pair)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), wrong[number]
        answers.append(answer.json() | {"request_id": ""})
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].keys() == {"token", "error", "detail", "code", "request_id"}
    assert ada.user.check_password(PASSWORD)


# -- the background, and two at once -------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_mail_comes_by_the_background(sign_up: Callable[..., Any], mailoutbox: Any) -> None:
    sign_up("ada")
    assert request_link().status_code == 202
    assert queue.flush(10)
    assert [message.to for message in mailoutbox] == [["ada@example.com"]]


def test_a_mail_server_that_hangs_delays_no_request(ada: Any) -> None:
    goes_on = threading.Event()
    background = queue.Background()
    with patch.object(queue, "put", background.put):
        background.put(lambda: bool(goes_on.wait(20)))
        began = time.monotonic()
        assert request_link("nobody@example.com").status_code == 202
        assert not background.flush(0.01)
        assert time.monotonic() - began < 5
    goes_on.set()
    assert background.flush(10)


def test_a_mail_that_fails_is_logged_and_the_next_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    background = queue.Background()
    done: list[str] = []

    def fail() -> None:
        raise ConnectionRefusedError("no mail server")

    background.put(fail)
    background.put(lambda: done.append("next"))
    assert background.flush(10)
    assert done == ["next"]
    assert "no mail server" in caplog.text


def test_mails_that_are_too_many_are_dropped_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(queue, "MAX_QUEUED", 2)
    goes_on, begun = threading.Event(), threading.Event()
    background = queue.Background()
    done: list[int] = []

    def first() -> None:
        begun.set()
        goes_on.wait(20)

    background.put(first)
    assert begun.wait(10)
    for number in range(4):
        background.put(lambda number=number: done.append(number))
    goes_on.set()
    assert background.flush(10)
    assert done == [0, 1]
    assert caplog.text.count("a mail was dropped") == 2
