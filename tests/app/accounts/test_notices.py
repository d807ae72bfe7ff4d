"""The owner of an account gets a mail when a credential changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import TestCase

from accounts.mail import messages
from accounts.models import Login
from accounts.services import password_reset
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db
NEW = "a shorter walk at dawn"


@pytest.fixture
def committed() -> Callable[..., Any]:
    """What is done in a block is committed at its end."""

    @contextmanager
    def block() -> Iterator[None]:
        with TestCase.captureOnCommitCallbacks(execute=True):
            yield

    return block


def change_password(device: Any) -> None:
    body = {"old_password": PASSWORD, "new_password": NEW}
    assert device.api.post("/users/password/", body, format="json").status_code == 200


def reset_password(device: Any) -> None:
    uid, token = password_reset.link(device.user, "x").split("/")[-2:]
    body = {"uid": uid, "token": token, "new_password": NEW}
    answer = device.api.post("/users/password/reset/confirm/", body, format="json")
    assert answer.status_code == 200


def change_email(device: Any) -> None:
    body = {"email": "countess@example.com", "password": PASSWORD}
    assert device.api.patch("/users/me/", body, format="json").status_code == 200


def change_username(device: Any) -> None:
    body = {"username": "countess"}
    assert device.api.patch("/users/me/", body, format="json").status_code == 200


def change_password_from_outside(device: Any) -> None:
    user = device.user
    user.set_password(NEW)
    user.save()


def use_an_old_token(device: Any) -> None:
    device.refreshed()
    Login.objects.update(refreshed_at="2020-01-01T00:00:00Z")
    assert device.refreshed().status_code == 401


@pytest.mark.parametrize(
    ("happens", "subject"),
    [
        (change_password, "Your password for Space was changed"),
        (change_password_from_outside, "Your password for Space was changed"),
        (reset_password, "You have a new password for Space"),
        (change_email, "Your e-mail address for Space was changed"),
        (change_username, "Your user name for Space was changed"),
        (use_an_old_token, "A device was signed out of Space"),
    ],
)
def test_a_changed_credential_is_mailed_to_the_old_address(
    ada: Any,
    mails: list[EmailMessage],
    committed: Callable[..., Any],
    happens: Callable[[Any], None],
    subject: str,
) -> None:
    with committed():
        happens(ada)
        assert mails == []  # not before it is committed
    (message,) = mails
    assert (message.to, message.subject) == (["ada@example.com"], subject)
    assert "Hello ada," in message.body
    for secret in (PASSWORD, NEW, ada.access, ada.refresh, "countess", "#reset"):
        assert secret not in str(message.message())


@pytest.mark.parametrize(
    "body", [{"time_zone": "Europe/Berlin"}, {"email": "ada@example.com"}, {"username": "ada"}]
)
def test_a_change_of_no_credential_sends_no_mail(
    ada: Any, mails: list[EmailMessage], committed: Callable[..., Any], body: dict[str, str]
) -> None:
    with committed():
        assert ada.api.patch("/users/me/", body, format="json").status_code == 200
    with committed():
        ada.api.post("/users/logout/")
    assert mails == []


def test_a_refused_change_sends_no_mail(
    ada: Any, eve: Any, mails: list[EmailMessage], committed: Callable[..., Any]
) -> None:
    with committed():
        for body in (
            {"email": "eve@example.com", "password": PASSWORD},
            {"email": "other@example.com", "password": "wrong"},
            {"username": "eve"},
        ):
            assert ada.api.patch("/users/me/", body, format="json").status_code == 400
    assert mails == []


def test_mails_to_one_user_are_limited_by_their_kind(
    ada: Any, mails: list[EmailMessage], committed: Callable[..., Any], settings: Any
) -> None:
    """Or a thief would change the name until no more mails are sent, and then take the address."""
    settings.LIMIT_NOTICES_PER_HOUR = 2
    with committed():
        for name in ("a", "b", "c", "ada"):
            assert ada.api.patch("/users/me/", {"username": name}, format="json").status_code == 200
    assert len(mails) == 2
    mails.clear()
    with committed():
        change_email(ada)
    (message,) = mails
    assert message.to == ["ada@example.com"]


@pytest.mark.parametrize(
    ("device", "shown"),
    [
        ("Firefox on Windows", "Firefox on Windows"),
        ("Ada's phone (2)", "Ada's phone (2)"),
        ("Süd-Küche 電話", "Süd-Küche 電話"),
        ("Win! https://evil.example/x?y", "Win https evil example x y"),
        ("a@evil.example", "a evil example"),
        ("://", "one without a name"),
    ],
)
def test_the_name_of_a_device_is_no_link_in_a_mail(device: str, shown: str) -> None:
    """An attacker can sign up with another person's address and any name of a device."""
    assert f"signed out: {shown}\n" in messages.refresh_reused("ada", device).text
