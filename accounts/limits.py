"""How often a minute: requests of a user, sign-ups from an address, failed log-ins to a name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.address import client_address
from accounts.counters import raise_count, read_count, seconds_left
from accounts.exceptions import InvalidCredentials, WrongPassword
from accounts.names import fold

if TYPE_CHECKING:  # the views import this module by the settings
    from rest_framework.views import APIView


class _PerMinute(BaseThrottle):
    def wait(self) -> float:
        return seconds_left()


class RequestsPerUser(_PerMinute):
    """For the whole project. A request without a user is not counted."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if request.auth is None:
            return True
        limit: int = settings.LIMIT_REQUESTS_PER_MINUTE
        return raise_count(f"requests {request.user.pk}") <= limit


class SignUpsPerAddress(_PerMinute):
    """Attempts too: a refused one says which names are taken."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        limit: int = settings.LIMIT_SIGNUPS_PER_MINUTE
        return raise_count(f"sign-ups {client_address(request.META)}") <= limit


@contextmanager
def failures_counted(name: str) -> Iterator[None]:
    """Around a check of the password of `name`: counts a failure. Raises Throttled.

    It looks before and after, so that of many guesses at once no more than the limit get a
    yes or a no, while any number of right ones may come in together.
    """
    counted = f"failed log-ins {fold(name)}"
    _refuse_above(read_count(counted))
    try:
        yield
    except (InvalidCredentials, WrongPassword):
        _refuse_above(raise_count(counted) - 1)
        raise
    _refuse_above(read_count(counted))


def _refuse_above(failures: int) -> None:
    if failures >= settings.LIMIT_FAILED_LOGINS_PER_MINUTE:
        raise Throttled(wait=seconds_left())
