"""The user's own settings, and the end of an account."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db.models import F

from accounts.events import LoginRevoked
from accounts.exceptions import InvalidInput, WrongPassword
from accounts.models import Login, User
from accounts.services.profiles import change_profile, time_zones
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db


def patch(device: Any, **body: Any) -> Any:
    return device.api.patch("/users/me/", body, format="json")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"username": "Ada"},
        {"username": "lovelace"},
        {"email": "ada@example.com"},
        {"time_zone": "Europe/Berlin"},
        {"time_zone": "Pacific/Apia", "day_start": 240},
        {"day_start": 0},
        {"day_start": 1439},
        {"reminders": []},
        {"reminders": [86400, 1]},
        {"reminders": list(range(1, 11))},
    ],
)
def test_a_part_of_the_profile_can_be_changed(ada: Any, change: dict[str, Any]) -> None:
    response = patch(ada, **change)
    assert response.status_code == 200
    assert response.json() == ada.answer["user"] | change
    assert ada.api.get("/users/me/").json() == response.json()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "eve"),
        ("username", "EVE"),
        ("username", "eve@example.com"),
        ("username", ""),
        ("email", "Eve@Example.com"),
        ("email", "x"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "europe/berlin"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", "localtime"),
        ("time_zone", "UTC\x00"),
        ("day_start", -1),
        ("day_start", 1440),
        ("reminders", [0]),
        ("reminders", [86401]),
        ("reminders", [60, 60]),
        ("reminders", list(range(1, 12))),
    ],
)
def test_a_value_that_is_refused_is_named(ada: Any, eve: Any, field: str, value: Any) -> None:
    response = patch(ada, **{field: value}, password=PASSWORD)
    assert response.status_code == 400
    assert field in response.json()
    assert ada.api.get("/users/me/").json() == ada.answer["user"]


def test_another_address_for_mails_needs_the_password(ada: Any) -> None:
    wanted = {"email": "countess@example.com", "username": "countess"}
    for password in ({}, {"password": "wrong"}, {"password": ""}, {"password": None}):
        refused = patch(ada, **wanted, **password)
        assert (refused.status_code, next(iter(refused.json()))) == (400, "password")
        assert ada.api.get("/users/me/").json() == ada.answer["user"]
    changed = patch(ada, **wanted, password=PASSWORD)
    assert (changed.status_code, changed.json()) == (200, ada.answer["user"] | wanted)


def test_wrong_passwords_for_another_address_count_as_failed_log_ins(
    ada: Any, settings: Any
) -> None:
    settings.LIMIT_FAILED_LOGINS_PER_MINUTE = 3
    answers = [patch(ada, email="b@example.com", password="wrong") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    assert patch(ada, email="b@example.com", password=PASSWORD).status_code == 429
    assert patch(ada, time_zone="Europe/Berlin").status_code == 200


def test_a_password_that_was_changed_meanwhile_moves_no_mails(ada: Any) -> None:
    seen = ada.user
    User.objects.update(password=make_password("another battery"))
    with pytest.raises(WrongPassword):
        change_profile(seen, {"email": "b@example.com"}, password=PASSWORD)
    assert ada.user.email == "ada@example.com"


def test_an_address_that_was_changed_meanwhile_is_not_put_back_without_the_password(
    ada: Any,
) -> None:
    """Or a thief with a token and the old mailbox would only have to be fast enough."""
    seen = ada.user
    assert patch(ada, email="safe@example.com", password=PASSWORD).status_code == 200
    with pytest.raises(WrongPassword):
        change_profile(seen, {"email": "ada@example.com"})
    assert ada.user.email == "safe@example.com"


def test_an_address_that_was_given_up_meanwhile_becomes_no_name(
    ada: Any, eve: Any, log_in: Callable[..., Any]
) -> None:
    """Or its next owner could not log in by it."""
    seen = eve.user
    assert patch(eve, email="mallory@example.com", password=PASSWORD).status_code == 200
    with pytest.raises(InvalidInput):
        change_profile(seen, {"username": "eve@example.com"})
    assert patch(ada, email="eve@example.com", password=PASSWORD).status_code == 200
    assert log_in("eve@example.com").user == ada.user


def test_a_log_in_by_address_prefers_its_owner_to_a_name(
    eve: Any, ada: Any, log_in: Callable[..., Any]
) -> None:
    """A user of an older version may have another user's address as name."""
    User.objects.filter(pk=eve.user.pk).update(username_key="ada@example.com")
    assert log_in("ada@example.com").user == ada.user


def test_read_only_fields_stay(ada: Any) -> None:
    response = patch(ada, id=1, revision=9, date_joined="2000-01-01T00:00:00Z", is_staff=True)
    assert response.json() == ada.answer["user"]
    assert not ada.user.is_staff


def test_a_change_does_not_put_the_revision_back(ada: Any) -> None:
    seen = ada.user
    User.objects.update(revision=F("revision") + 5)
    changed = change_profile(seen, {"username": "lovelace"})
    assert changed.revision == 5


def test_a_new_name_is_the_one_to_log_in_with(ada: Any, log_in: Callable[..., Any]) -> None:
    patch(ada, username="Émile", email="e@example.com", password=PASSWORD)
    assert log_in("éMILE").is_let_in()
    assert log_in("E@EXAMPLE.COM").is_let_in()


def test_a_name_saved_by_other_code_is_found_in_any_case(ada: Any) -> None:
    user = ada.user
    user.username = "LOVELACE"
    user.save(update_fields=["username"])
    assert User.objects.get(username_key="lovelace") == user


def test_the_zones_are_places_that_every_machine_knows() -> None:
    assert {"UTC", "Africa/Cairo", "Australia/Lord_Howe"} <= time_zones()
    assert not {"Factory", "localtime"} & time_zones()


def test_a_deleted_account_leaves_nothing(
    ada: Any, phone: Any, eve: Any, revocations: Callable[..., Any], sign_up: Callable[..., Any]
) -> None:
    gone = ada.user.pk
    with revocations() as revoked:
        response = ada.api.delete("/users/me/")
    assert response.status_code == 204
    assert revoked == [LoginRevoked(gone, None, "account_deleted")]
    assert not phone.is_let_in()
    assert not Login.objects.filter(user=gone).exists()
    assert eve.is_let_in()
    assert sign_up("ada").is_let_in()  # the name is free again


@pytest.mark.parametrize("body", [{"password": "wrong"}, {"password": None}, [], "x"])
def test_a_wrong_password_deletes_nothing(ada: Any, body: Any) -> None:
    assert ada.api.delete("/users/me/", body, format="json").status_code == 400
    assert ada.is_let_in()


def test_guesses_at_the_password_before_a_deletion_count(ada: Any, settings: Any) -> None:
    settings.LIMIT_FAILED_LOGINS_PER_MINUTE = 2
    answers = [ada.api.delete("/users/me/", {"password": "x"}, format="json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]


@pytest.mark.parametrize("body", [None, {}, {"password": PASSWORD, "x": 1}])
def test_an_account_is_deleted_with_its_password_or_without_one(ada: Any, body: Any) -> None:
    assert ada.api.delete("/users/me/", body, format="json").status_code == 204
    assert not User.objects.exists()


def test_the_profile_needs_a_login(api: Any) -> None:
    for method in ("get", "patch", "delete"):
        assert getattr(api, method)("/users/me/").status_code == 401
