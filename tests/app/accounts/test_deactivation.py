"""A deactivation, and a new password from outside of the API, end every login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.core.management import call_command

from accounts.events import LoginRevoked
from accounts.models import Login, User
from accounts.services import logins
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db
ANOTHER = "another horse battery"


def by_hand(user: User) -> None:
    user.is_active = False
    user.save()


def by_hand_this_field_only(user: User) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


@pytest.mark.parametrize("deactivate", [logins.deactivate, by_hand, by_hand_this_field_only])
def test_a_deactivated_user_is_logged_out_at_once(
    ada: Any, phone: Any, eve: Any, revocations: Callable[..., Any], deactivate: Any
) -> None:
    user = ada.user
    with revocations() as revoked:
        deactivate(user)
    assert revoked == [LoginRevoked(user.pk, None, "deactivated")]
    assert not user.is_active
    assert not Login.objects.filter(user=user, ended_at=None).exists()
    for device in (ada, phone):
        assert not device.is_let_in()
        assert device.refreshed().status_code == 401
    assert eve.is_let_in()


def test_a_reactivated_user_has_to_log_in_again(
    ada: Any, log_in: Callable[..., Any], api: Any
) -> None:
    logins.deactivate(ada.user)
    body = {"username": "ada", "password": PASSWORD}
    assert api.post("/users/login/", body, format="json").status_code == 401
    logins.reactivate(ada.user)
    assert not ada.is_let_in()
    assert ada.refreshed().status_code == 401
    assert log_in("ada").is_let_in()


def test_deactivating_twice_says_it_once(ada: Any, revocations: Callable[..., Any]) -> None:
    user = ada.user
    logins.deactivate(user)
    with revocations() as revoked:
        logins.deactivate(user)
    assert revoked == []


def test_saving_something_else_ends_nothing(ada: Any, revocations: Callable[..., Any]) -> None:
    user = ada.user
    with revocations() as revoked:
        user.first_name = "Ada"
        user.save()
        user.save(update_fields=["last_login"])
    assert revoked == []
    assert ada.is_let_in()


def by_form(user: User) -> None:
    user.set_password(ANOTHER)
    user.save()


def by_hash(user: User) -> None:
    user.password = make_password(ANOTHER)
    user.save(update_fields=["password"])


def by_command(user: User) -> None:
    answers = iter([ANOTHER, ANOTHER])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getpass", lambda prompt: next(answers))
        call_command("changepassword", user.username, verbosity=0)


@pytest.mark.parametrize("change", [by_form, by_hash, by_command])
def test_a_password_set_from_outside_ends_every_login(
    ada: Any, phone: Any, revocations: Callable[..., Any], log_in: Any, change: Any
) -> None:
    user = ada.user
    with revocations() as revoked:
        change(user)
    assert revoked == [LoginRevoked(user.pk, None, "password_changed")]
    for device in (ada, phone):
        assert not device.is_let_in()
        assert device.refreshed().status_code == 401
    assert log_in("ada", ANOTHER).is_let_in()


def test_an_upgraded_hash_is_no_new_password(
    ada: Any,
    settings: Any,
    revocations: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A real one takes longer on a busy machine than a transaction of ours may idle.
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1)
    before = ada.user.password
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    with revocations() as revoked:
        assert ada.user.check_password(PASSWORD)
    assert ada.user.password != before
    assert ada.user.check_password(PASSWORD)
    assert revoked == []
    assert ada.is_let_in()


@pytest.mark.parametrize("delete", [User.delete, lambda user: User.objects.all().delete()])
def test_each_deletion_of_a_user_is_announced(
    ada: Any, revocations: Callable[..., Any], delete: Any
) -> None:
    user = ada.user
    gone = user.pk
    with revocations() as revoked:
        delete(user)
    assert revoked == [LoginRevoked(gone, None, "account_deleted")]
    assert not ada.is_let_in()
