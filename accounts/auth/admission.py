"""Which user and which login an access token admits: of one request, or of many sockets at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from accounts.auth.tokens import AccessToken, Claims
from accounts.exceptions import Revoked, TokenNotValid
from accounts.models import LAST_SEEN_INTERVAL, Login, LoginQuerySet, User


@dataclass(frozen=True)
class Admission:
    """An active user, by an active login, until `expires_at`."""

    user: User
    login: Login
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """The same in short: a socket keeps it as long as it lives. `device`: the name of the login."""

    user_id: int
    login_id: int
    device: str
    expires_at: datetime


def admit(token: str) -> Admission:
    """What this access token admits. One query; now and then a write of `last_seen`.

    Raises TokenNotValid, TokenExpired or Revoked. Errors of the database come through as they are.
    """
    claims = Claims.of(AccessToken, token)
    login = next(iter(_active(pk=claims.login_id).select_related("user")), None)
    login = _checked(claims, login)
    _touch([login])
    return Admission(user=login.user, login=login, expires_at=claims.expires_at)


def admit_all(tokens: Sequence[str]) -> list[Identity | TokenNotValid]:
    """The same for many tokens: for each an identity, or the reason against it."""
    claims = [_claims_or_refusal(token) for token in tokens]
    rows: dict[int, Any] = {}
    if asked := {c.login_id for c in claims if isinstance(c, Claims)}:
        columns = ("pk", "user_id", "device", "first_seen", "last_seen", "asked_at")
        # One array costs less than hundreds of parameters.
        ids = RawSQL("SELECT unnest(%s::bigint[])", [list(asked)])
        rows = {row.pk: row for row in _active(pk__in=ids).values_list(*columns, named=True)}
        _touch(rows.values())
    return [
        c if isinstance(c, TokenNotValid) else _identity_or_refusal(c, rows.get(c.login_id))
        for c in claims
    ]


def _active(**which: Any) -> LoginQuerySet:
    """The active logins of these, each with the database's clock as `asked_at`."""
    return Login.objects.active().filter(**which).annotate(asked_at=Now())


def _checked(claims: Claims, login: Any) -> Any:
    """The login (or the row that was read of it), if these are claims of it, and still good."""
    if login is None or not claims.are_of(login.user_id, begun=login.first_seen):
        raise Revoked
    claims.good_at(login.asked_at)
    return login


def _touch(logins: Iterable[Any]) -> None:
    stale = [login.pk for login in logins if login.last_seen < login.asked_at - LAST_SEEN_INTERVAL]
    if stale:
        Login.objects.touch(stale)


def _claims_or_refusal(token: str) -> Claims | TokenNotValid:
    try:
        return Claims.of(AccessToken, token)
    except TokenNotValid as refusal:
        return refusal


def _identity_or_refusal(claims: Claims, row: Any) -> Identity | TokenNotValid:
    try:
        device = _checked(claims, row).device
    except TokenNotValid as refusal:
        return refusal
    return Identity(claims.user_id, claims.login_id, device, claims.expires_at)
