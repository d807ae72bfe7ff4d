"""What a token admits to, and for how long."""

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

from accounts.auth.admission import admit, admit_all
from accounts.exceptions import Revoked, TokenExpired, TokenNotValid
from accounts.models import Login, LoginQuerySet, User

pytestmark = pytest.mark.django_db


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def signed(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, settings.TOKEN_SIGNING_KEY, algorithm="HS256")


def test_an_access_token_says_who_and_by_which_login(ada: Any) -> None:
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


def test_it_admits_to_a_user_and_a_login_until_its_end(ada: Any) -> None:
    admission = admit(ada.access)
    assert admission.user == ada.user
    assert admission.login.user == ada.user
    assert admission.expires_at == datetime.fromtimestamp(claims_of(ada.access)["exp"], tz=UTC)
    with pytest.raises(FrozenInstanceError):
        admission.user = None  # type: ignore[misc,assignment]


def test_it_takes_one_query(ada: Any, django_assert_num_queries: Callable[..., Any]) -> None:
    with django_assert_num_queries(1):
        assert ada.is_let_in()


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\ud800", "x" * 10_000, "e30.e30."])
def test_garbage_is_not_valid(token: str) -> None:
    with pytest.raises(TokenNotValid) as refusal:
        admit(token)
    assert refusal.value.code == "token_not_valid"


def test_an_old_token_has_expired(ada: Any) -> None:
    claims = claims_of(ada.access)
    with pytest.raises(TokenExpired) as refusal:
        admit(signed(claims | {"exp": claims["iat"] - 31}))
    assert refusal.value.code == "token_expired"


def test_a_clock_half_a_minute_behind_does_not_matter(ada: Any) -> None:
    claims = claims_of(ada.access)
    admit(signed(claims | {"iat": claims["iat"] + 25}))
    admit(signed(claims | {"exp": claims["iat"] - 20}))


def test_the_token_of_an_ended_login_is_revoked(ada: Any, phone: Any) -> None:
    ada.api.post("/users/logout/")
    with pytest.raises(Revoked) as refusal:
        admit(ada.access)
    assert refusal.value.code == "revoked"
    admit(phone.access)


def test_an_inactive_user_is_out_at_once(ada: Any) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(Revoked):
        admit(ada.access)
    assert not ada.is_let_in()


def test_a_token_of_a_deleted_user_is_revoked(ada: Any) -> None:
    User.objects.all().delete()
    with pytest.raises(Revoked):
        admit(ada.access)


def test_a_login_of_somebody_else_does_not_count(ada: Any, eve: Any) -> None:
    with pytest.raises(Revoked):
        admit(signed(claims_of(ada.access) | {"login": eve.login.pk}))


def test_a_database_that_is_away_is_no_refusal(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self: LoginQuerySet) -> LoginQuerySet:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(LoginQuerySet, "active", away)
    with pytest.raises(OperationalError):
        admit(ada.access)
    response = ada.api.get("/users/me/")
    assert response.status_code == 503
    assert response.json()["code"] == "unavailable"
    assert "Retry-After" in response


def test_when_a_login_was_seen_is_noted_once_a_minute(
    ada: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    Login.objects.update(last_seen=F("last_seen") - timedelta(seconds=61))
    stale = Login.objects.get().last_seen
    with django_assert_num_queries(2):
        assert ada.is_let_in()
    seen = Login.objects.get().last_seen
    assert seen > stale
    with django_assert_num_queries(1):
        assert ada.is_let_in()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "not_authenticated"),
        ("", "not_authenticated"),
        ("Basic YTpi", "not_authenticated"),
        ("Token abc", "not_authenticated"),
        ("Bearer", "token_not_valid"),
        ("Bearer ", "token_not_valid"),
        ("Bearer a b", "token_not_valid"),
        ("Bearer a.b.c", "token_not_valid"),
        ("Bearer \xff\xfe", "token_not_valid"),
        ("bearer a.b.c", "token_not_valid"),
    ],
)
def test_who_has_no_good_token_is_told_so(api: Any, header: str | None, code: str) -> None:
    headers = {} if header is None else {"HTTP_AUTHORIZATION": header}
    response = api.get("/users/me/", **headers)
    assert response.status_code == 401
    assert response.json()["code"] == code
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_token_is_not_of_a_login_that_is_younger(ada: Any, api: Any) -> None:
    """A restored database gives the ids of after the backup once more, to somebody else."""
    pk, login = ada.user.pk, ada.answer_login
    User.objects.filter(pk=pk).delete()
    User.objects.create(pk=pk, username="bob")
    bobs = Login.objects.create(
        pk=login, user_id=pk, refresh_jti="x", first_seen=Now() + timedelta(seconds=3)
    )
    with pytest.raises(Revoked):
        admit(ada.access)
    assert isinstance(admit_all([ada.access])[0], Revoked)
    assert not ada.is_let_in()
    assert ada.refreshed().status_code == 401
    api.post("/users/logout/", {"refresh": ada.refresh}, format="json")
    bobs.refresh_from_db()
    assert bobs.ended_at is None, "nor can it be ended by such a token"
