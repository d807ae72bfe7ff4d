"""The errors of accounts, each with a stable `code` that clients read.

    AccountError
    |-- InvalidInput          a value is refused; names the field
    |   |-- WrongPassword     the password, asked for again, is wrong
    |   |-- LinkNotValid      a link to reset a password: wrong, used, too old, of no user
    |-- InvalidCredentials    wrong name, wrong password or inactive: the same answer
    |-- NoSuchLogin           missing, ended, or another user's: the same answer
    |-- TooManyRequests       a limit is reached, or too many wait for a hash
    |-- TokenNotValid         garbage, another kind of token, another key
        |-- TokenExpired
        |-- Revoked           its login has ended, or its user is inactive

The translation to HTTP is in `api/errors.py` and `api/authentication.py`.
"""

from math import ceil
from typing import ClassVar


class AccountError(Exception):
    """The base of all of them. `str()` gives a sentence for the user."""

    code: ClassVar[str] = "invalid"
    sentence: ClassVar[str] = "The request is not valid."

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)


class InvalidInput(AccountError):
    """A value is refused. `fields` maps each field to its sentences."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__(next((sentences[0] for sentences in fields.values()), None))
        self.fields = fields


class WrongPassword(InvalidInput):
    """The password, asked for again in this field, is wrong."""

    def __init__(self, field: str) -> None:
        super().__init__({field: ["This is not your password."]})


class LinkNotValid(InvalidInput):
    """A link to reset a password is wrong, was used, is too old, or of no user: the same answer."""

    def __init__(self) -> None:
        super().__init__({"token": ["This link is no longer valid. Please ask for a new one."]})


class InvalidCredentials(AccountError):
    """Wrong name, wrong password or inactive: the same answer."""

    code = "invalid_credentials"
    sentence = "The user name or the password is wrong."


class NoSuchLogin(AccountError):
    """There is no such login, it has ended, or it is another user's."""

    code = "not_found"
    sentence = "Nothing is here."


class TooManyRequests(AccountError):
    """A limit is reached, or too many requests wait. `retry_after_s`: whole seconds."""

    code = "throttled"
    sentence = "Too many requests."

    def __init__(self, *, wait_s: float) -> None:
        super().__init__()
        self.retry_after_s = ceil(wait_s)


class TokenNotValid(AccountError):
    """The token is not one of ours, not of this kind, or was changed."""

    code = "token_not_valid"
    sentence = "The token is not valid."


class TokenExpired(TokenNotValid):
    """The token was good and its time is over."""

    code = "token_expired"
    sentence = "The token has expired."


class Revoked(TokenNotValid):
    """The login of the token has ended, or its user is inactive."""

    code = "revoked"
    sentence = "This login has ended."
