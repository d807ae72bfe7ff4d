"""The two tokens of a login: an access token for each request, a refresh token for the next pair.

Both follow from the row of the login (`refresh_jti`, `refreshed_at`), so that two requests for the
successor of one token get the same pair, letter for letter, and nothing has to be stored.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, TypeVar
from uuid import uuid4

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import Token

from accounts.auth.keys import KeyRing, backend
from accounts.exceptions import TokenExpired, TokenNotValid
from accounts.models import Login, LoginQuerySet

LARGEST_ID = 2**63 - 1
A_SECOND = timedelta(seconds=1)
LEEWAY: timedelta = api_settings.LEEWAY
# By so much the database's clock may be put back without logging users out.
CLOCK_STEP = timedelta(hours=1)


class _LoginToken(Token):
    @property
    def token_backend(self) -> KeyRing:
        return backend()

    @classmethod
    def issue(cls, login: Login, jti: str) -> str:
        token = cls()
        token.set_iat(at_time=login.refreshed_at)
        token.set_exp(from_time=login.refreshed_at)
        token.payload |= {"jti": jti, "user_id": str(login.user_id), "login": login.pk}
        return str(token)

    def verify(self) -> None:
        """Its kind. Whether it has expired, the database's clock decides: see `Claims.good_at`."""
        self.verify_token_type()


class AccessToken(_LoginToken):
    token_type = "access"  # noqa: S105 - the name of a kind
    lifetime = api_settings.ACCESS_TOKEN_LIFETIME


class RefreshToken(_LoginToken):
    token_type = "refresh"  # noqa: S105 - the name of a kind
    lifetime = api_settings.REFRESH_TOKEN_LIFETIME


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str


@dataclass(frozen=True)
class Claims:
    """The claims of a token whose signature and kind are checked."""

    user_id: int
    login_id: int
    jti: str
    issued_at: datetime  # a whole second
    expires_at: datetime

    @classmethod
    def of(cls, kind: type[_LoginToken], token: str) -> Self:
        try:
            payload = kind(token).payload  # type: ignore[arg-type]  # it takes the text
            if "nbf" in payload:
                raise ValueError("a claim that we never write")
            return cls(
                user_id=_id(_decimal(_exactly(str, payload["user_id"]))),
                login_id=_id(_exactly(int, payload["login"])),
                jti=_exactly(str, payload["jti"]),
                issued_at=datetime.fromtimestamp(_exactly(int, payload["iat"]), tz=UTC),
                expires_at=datetime.fromtimestamp(_exactly(int, payload["exp"]), tz=UTC),
            )
        # A token of others is not parsed. These are for one that was signed with our key.
        except (
            *(TokenError, KeyError, TypeError, ValueError),
            *(ArithmeticError, OSError, RecursionError),  # times that no calendar has; deep nests
        ) as error:
            raise TokenNotValid from error

    def good_at(self, now: datetime) -> Self:
        """Itself. Raises TokenExpired or TokenNotValid. `now`: by the database's clock."""
        if now >= self.expires_at + LEEWAY:
            raise TokenExpired
        if self.issued_at > now + CLOCK_STEP:
            raise TokenNotValid
        return self

    def login(self) -> LoginQuerySet:
        """The login of the token, active or ended. It is not younger than the token.

        A restored database gives the ids of lost rows to others: without this, a token of a user
        who signed up after the backup would belong to the next user.
        """
        theirs = Login.objects.filter(pk=self.login_id, user=self.user_id)
        return theirs.filter(first_seen__lt=self.issued_at + A_SECOND)

    def are_of(self, user_id: int, *, begun: datetime) -> bool:
        """The same of a login that was read already."""
        return user_id == self.user_id and begun < self.issued_at + A_SECOND


T = TypeVar("T", str, int)


def _exactly(kind: type[T], value: object) -> T:
    if type(value) is not kind:  # a bool is an int, too
        raise TypeError(f"{kind.__name__} expected")
    return value


def _decimal(text: str) -> int:
    """A number as we write it: `int()` also reads the digits of other scripts."""
    if str(number := int(text)) != text:
        raise ValueError("not a decimal number")
    return number


def _id(number: int) -> int:
    if not 0 < number <= LARGEST_ID:
        raise ValueError("not an id")
    return number


def new_jti() -> str:
    return uuid4().hex


def pair_of(login: Login) -> Pair:
    """The tokens of the login in its present state."""
    access_jti = hashlib.sha256(b"access " + login.refresh_jti.encode()).hexdigest()[:32]
    return Pair(
        access=AccessToken.issue(login, access_jti),
        refresh=RefreshToken.issue(login, login.refresh_jti),
    )
