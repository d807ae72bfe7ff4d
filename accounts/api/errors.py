"""What went wrong in the domain of accounts, as DRF says it."""

from rest_framework import exceptions

from accounts.exceptions import (
    AccountError,
    InvalidCredentials,
    InvalidInput,
    NoSuchLogin,
    TokenNotValid,
)


def as_drf(error: AccountError) -> exceptions.APIException:
    """The one translation of an account's errors to HTTP."""
    match error:
        case InvalidInput():
            return exceptions.ValidationError(error.fields)
        case InvalidCredentials():
            return exceptions.AuthenticationFailed(str(error), code=error.code)
        case TokenNotValid():
            return exceptions.AuthenticationFailed(str(error), code=TokenNotValid.code)
        case NoSuchLogin():
            return exceptions.NotFound(str(error))
        case _:
            raise error  # one that nobody has given a place: better seen than guessed
