"""The errors of accounts as DRF's."""

from rest_framework import exceptions

from accounts.exceptions import (
    AccountError,
    InvalidCredentials,
    InvalidInput,
    NoSuchLogin,
    TokenNotValid,
    TooManyRequests,
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
        case TooManyRequests():
            return exceptions.Throttled(wait=error.retry_after_s)
        case NoSuchLogin():
            return exceptions.NotFound(str(error))
        case _:
            raise error  # one without a translation: better seen than guessed
