"""Who comes in by the thousands: the tokens of many sockets, checked in one query.

A socket keeps what it is told here for as long as it lives, so that is little: not the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from accounts.auth.tokens import AccessToken, Claims
from accounts.exceptions import Revoked, TokenNotValid
from accounts.models import SEEN_EVERY, Login, User

_STANDING = f"""
    SELECT login.id, login.user_id, login.device, login.last_seen, login.first_seen,
        statement_timestamp()
    FROM {Login._meta.db_table} login JOIN {User._meta.db_table} u ON u.id = login.user_id
    WHERE login.id = ANY(%s) AND login.ended_at IS NULL AND u.is_active
"""  # noqa: S608 -- the names of our own tables


@dataclass(frozen=True, slots=True)
class Arrival:
    """An active user, by a login that stands, until `expires_at`; `device` is the login's name."""

    user_id: int
    login_id: int
    device: str
    expires_at: datetime


class _Standing(NamedTuple):
    """A login that stands; `asked_at` is the database's clock."""

    user: int
    device: str
    begun: datetime
    asked_at: datetime


def admit_all(tokens: Sequence[str]) -> list[Arrival | TokenNotValid]:
    """For each access token who presents it, or the reason against it: see `tokens.admit`.

    One query; now and then a write of `last_seen`. Errors of the database come through.
    """
    claims = [_claims_or_refusal(token) for token in tokens]
    standing: dict[int, _Standing] = {}
    if asked := {c.login_id for c in claims if isinstance(c, Claims)}:
        with connection.cursor() as cursor:
            cursor.execute(_STANDING, [list(asked)])
            rows = cursor.fetchall()
        standing = {row[0]: _Standing(row[1], row[2], *row[4:]) for row in rows}
        if unseen := [login for login, _, _, seen, _, now in rows if seen < now - SEEN_EVERY]:
            Login.objects.touch(unseen)
    return [c if isinstance(c, TokenNotValid) else _arrival(c, standing) for c in claims]


def _claims_or_refusal(token: str) -> Claims | TokenNotValid:
    try:
        return Claims.of(AccessToken, token)
    except TokenNotValid as refusal:
        return refusal


def _arrival(claims: Claims, standing: dict[int, _Standing]) -> Arrival | TokenNotValid:
    login = standing.get(claims.login_id)
    if login is None or login.user != claims.user_id or claims.is_older_than(login.begun):
        return Revoked()
    try:
        claims.good_at(login.asked_at)
    except TokenNotValid as refusal:
        return refusal
    return Arrival(claims.user_id, claims.login_id, login.device, claims.expires_at)
