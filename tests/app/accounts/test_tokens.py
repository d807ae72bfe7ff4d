"""The tokens of a login: what they contain, whom they admit, and for how long."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.db import OperationalError
from django.db.models import F
from django.db.models.functions import Now

from accounts.auth.admission import Identity, admit, admit_all
from accounts.exceptions import Revoked, TokenExpired, TokenNotValid
from accounts.models import Login, LoginQuerySet, User

pytestmark = pytest.mark.django_db


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def signed(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, settings.TOKEN_SIGNING_KEY, algorithm="HS256")


def refusal(token: str) -> type[TokenNotValid]:
    """Why the token is refused, alone and among others."""
    with pytest.raises(TokenNotValid) as alone:
        admit(token)
    (among_others,) = admit_all([token])
    assert type(among_others) is type(alone.value)
    return type(alone.value)


def test_an_access_token_names_its_user_and_its_login(ada: Any) -> None:
    claims = claims_of(ada.access)
    assert claims["token_type"] == "access"
    assert claims["user_id"] == str(ada.user.pk)
    assert claims["login"] == ada.login.pk
    assert len(claims["jti"]) == 32
    assert claims["jti"] != claims_of(ada.refresh)["jti"]


def test_an_access_token_lives_a_day_and_a_refresh_token_sixty(ada: Any) -> None:
    def lives(token: str) -> timedelta:
        claims = claims_of(token)
        return timedelta(seconds=claims["exp"] - claims["iat"])

    assert lives(ada.access) == timedelta(days=1)
    assert lives(ada.refresh) == timedelta(days=60)


# -- admission -----------------------------------------------------------------------------------


def test_a_token_admits_its_user_by_its_login_until_its_end(ada: Any) -> None:
    admission = admit(ada.access)
    expires_at = datetime.fromtimestamp(claims_of(ada.access)["exp"], tz=UTC)
    assert (admission.user, admission.login.user) == (ada.user, ada.user)
    assert admission.expires_at == expires_at
    with pytest.raises(FrozenInstanceError):
        admission.user = None  # type: ignore[misc,assignment]
    login = admission.login
    assert admit_all([ada.access]) == [Identity(ada.user.pk, login.pk, "Device", expires_at)]


def test_admission_takes_one_query_for_one_token_and_for_many(
    ada: Any, eve: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(1):
        assert ada.is_let_in()
    with django_assert_num_queries(1):
        assert all(isinstance(a, Identity) for a in admit_all([ada.access, eve.access] * 50))
    with django_assert_num_queries(0):
        assert admit_all([]) == []
        assert len(admit_all(["x", "y"])) == 2


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\ud800", "x" * 10_000, "e30.e30."])
def test_garbage_is_not_valid(token: str) -> None:
    assert refusal(token).code == "token_not_valid"


def test_an_old_token_has_expired(ada: Any) -> None:
    claims = claims_of(ada.access)
    assert refusal(signed(claims | {"exp": claims["iat"] - 31})) is TokenExpired


def test_a_clock_half_a_minute_behind_does_not_matter(ada: Any) -> None:
    claims = claims_of(ada.access)
    admit(signed(claims | {"iat": claims["iat"] + 25}))
    admit(signed(claims | {"exp": claims["iat"] - 20}))


def test_the_token_of_an_ended_login_is_revoked(ada: Any, phone: Any) -> None:
    ada.api.post("/users/logout/")
    assert refusal(ada.access) is Revoked
    assert isinstance(admit_all([ada.access, phone.access])[1], Identity)


def test_a_token_of_an_inactive_or_a_deleted_user_is_revoked(ada: Any, eve: Any) -> None:
    User.objects.filter(pk=ada.user.pk).update(is_active=False)
    User.objects.filter(pk=eve.user.pk).delete()
    for device in (ada, eve):
        assert refusal(device.access) is Revoked
        assert not device.is_let_in()


def test_a_login_of_another_user_or_of_none_is_revoked(ada: Any, eve: Any) -> None:
    for login in (eve.login.pk, 2**62):
        assert refusal(signed(claims_of(ada.access) | {"login": login})) is Revoked


def test_a_database_that_is_away_is_no_refusal(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self: LoginQuerySet) -> LoginQuerySet:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(LoginQuerySet, "active", away)
    for admission in (lambda: admit(ada.access), lambda: admit_all([ada.access])):
        with pytest.raises(OperationalError):
            admission()
    response = ada.api.get("/users/me/")
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert "Retry-After" in response


@pytest.mark.parametrize("admission", [lambda t: admit(t), lambda t: admit_all([t, t])])
def test_last_seen_is_written_once_a_minute(
    ada: Any, eve: Any, django_assert_num_queries: Callable[..., Any], admission: Any
) -> None:
    hers = Login.objects.filter(pk=ada.login.pk)
    hers.update(last_seen=F("last_seen") - timedelta(seconds=61))
    stale, other = hers.get().last_seen, eve.login.last_seen
    with django_assert_num_queries(2):
        admission(ada.access)
    assert hers.get().last_seen > stale
    with django_assert_num_queries(1):
        admission(ada.access)
    assert eve.login.last_seen == other


def test_a_request_without_a_good_token_is_401(api: Any, db: None) -> None:
    """tests/hostile/test_rest_headers.py has more of them."""
    for header, code in (
        *((header, "not_authenticated") for header in (None, "", "Basic YTpi", "Token abc")),
        *((header, "token_not_valid") for header in ("Bearer", "Bearer a b", "bearer a.b.c")),
    ):
        headers = {} if header is None else {"HTTP_AUTHORIZATION": header}
        response = api.get("/users/me/", **headers)
        assert (response.status_code, response.json()["code"]) == (401, code), header
        assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_token_is_not_of_a_login_that_is_younger(ada: Any, api: Any) -> None:
    """A restored database gives the ids of after the backup once more, to another user."""
    pk, login = ada.user.pk, ada.answer_login
    User.objects.filter(pk=pk).delete()
    User.objects.create(pk=pk, username="bob")
    bobs = Login.objects.create(
        pk=login, user_id=pk, refresh_jti="x", first_seen=Now() + timedelta(seconds=3)
    )
    assert refusal(ada.access) is Revoked
    assert not ada.is_let_in()
    assert ada.refreshed().status_code == 401
    api.post("/users/logout/", {"refresh": ada.refresh}, format="json")
    bobs.refresh_from_db()
    assert bobs.ended_at is None, "nor can it be ended by such a token"
