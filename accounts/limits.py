"""How often is too often.

A `Limit` counts one thing for each one whom it concerns (a user, a network, a name) in a window of
time. Views take it as a throttle, everything else spends it:

    class ResetsPerAddress(PerAddress):
        limit = Limit("resets", "LIMIT_RESETS_PER_MINUTE")

    Limit("resets of one address", "LIMIT_RESETS_PER_EMAIL", HOUR_S).spend(fold(email))

The numbers are settings (`config/variables.py`), read when they are needed. `Throttled` is DRF's,
raised outside of its views too: `wait` has the seconds, and `web/errors.py` says 429.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db.models import Exists, OuterRef
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.auth.credentials import called
from accounts.counters import MINUTE_S, Count, raise_count, read_count, seconds_left
from accounts.exceptions import InvalidCredentials, WrongPassword
from accounts.models import Login
from accounts.names import fold
from accounts.security_log import note, pseudonym
from runtime.client_address import NOWHERE, client_address, current_network, ends_of, network_of

if TYPE_CHECKING:  # the views import this module by the settings
    from rest_framework.views import APIView

HOUR_S = 60 * 60


@dataclass(frozen=True)
class Limit:
    """At most so many `what` in `window_s` seconds for each one, as the setting says."""

    what: str
    setting: str
    window_s: int = MINUTE_S

    def spend(self, whose: object) -> None:
        """One more of this one's. Raises Throttled where that is too many."""
        if not self.takes(whose):
            raise Throttled(wait=seconds_left(self.window_s))

    def takes(self, whose: object) -> bool:
        """One more of this one's: whether that is within the limit."""
        count = raise_count(f"{self.what} {whose}", self.window_s)
        if count.number == count.allowed(self.number) + 1:  # once in a window, or it floods the log
            note("limit_reached", limit=self.what, of=self._shown(whose))
        return not count.is_above(self.number)

    def refuse_if_reached(self, whose: object) -> None:
        """Raises Throttled where there is no room for one more. Counts nothing."""
        self.refuse(read_count(f"{self.what} {whose}", self.window_s))

    def charge(self, whose: object, count: int) -> None:
        """So many more, for what has been done already."""
        if count:
            raise_count(f"{self.what} {whose}", self.window_s, count)

    def count_failure(self, whose: object) -> Count:
        """One more, of what is counted only when it failed."""
        count = raise_count(f"{self.what} {whose}", self.window_s)
        if count.number == count.allowed(self.number):
            note("limit_reached", limit=self.what, of=self._shown(whose))
        return count

    @property
    def number(self) -> int:
        number: int = getattr(settings, self.setting)
        return number

    def refuse(self, before: Count) -> None:
        """Raises Throttled where there were so many before that there is no room for one more."""
        if before.number >= before.allowed(self.number):
            raise Throttled(wait=seconds_left(self.window_s))

    @staticmethod
    def _shown(whose: object) -> str | int:
        return whose if isinstance(whose, int) else pseudonym(str(whose))


REQUESTS = Limit("requests", "LIMIT_REQUESTS_PER_MINUTE")
SIGN_UPS = Limit("sign-ups", "LIMIT_SIGNUPS_PER_MINUTE")
REFRESHES = Limit("refreshes", "LIMIT_REFRESHES_PER_MINUTE")
PASSWORD_CHANGES = Limit("password changes", "LIMIT_PASSWORD_CHANGES_PER_MINUTE")
RESETS = Limit("resets", "LIMIT_RESETS_PER_MINUTE")
RESET_MAILS = Limit("reset mails", "LIMIT_RESET_MAILS_PER_HOUR", HOUR_S)
NOTICES = Limit("notices", "LIMIT_NOTICES_PER_HOUR", HOUR_S)
EXPORTS = Limit("exports", "LIMIT_EXPORTS_PER_MINUTE")
FAILURES_OF_NAME = Limit("failed log-ins", "LIMIT_FAILED_LOGINS_PER_MINUTE")
FAILURES_OF_NAME_HERE = Limit("failed log-ins from here", "LIMIT_FAILED_LOGINS_PER_MINUTE")
FAILURES_OF_ADDRESS = Limit("failed log-ins of an address", "LIMIT_FAILED_LOGINS_PER_ADDRESS")


class _Throttle(BaseThrottle):
    limit: ClassVar[Limit]

    def wait(self) -> float:
        return seconds_left(self.limit.window_s)


class PerAddress(_Throttle):
    """Counts every request to the view, for its address (an IPv6 address for its /64)."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        return self.limit.takes(network_of(client_address(request.META)))


class PerUser(_Throttle):
    """Counts every request to the view, for its user. One without a user is not counted."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        return request.auth is None or self.limit.takes(request.user.pk)


class RequestsPerUser(PerUser):
    """For the whole project."""

    limit = REQUESTS


class PasswordChangesPerUser(PerUser):
    """Each costs two hashes."""

    limit = PASSWORD_CHANGES


class SignUpsPerAddress(PerAddress):
    """Attempts too: a refused one says which names are taken."""

    limit = SIGN_UPS


class RefreshesPerAddress(PerAddress):
    """Anybody may ask."""

    limit = REFRESHES


class ResetsPerAddress(PerAddress):
    """Anybody may ask for a link to a new password."""

    limit = RESETS


class ExportsPerUser(PerUser):
    """Each reads all that a user has."""

    limit = EXPORTS


@contextmanager
def failures_counted(name: str) -> Iterator[None]:
    """Around a check of the password of `name`: counts a failure. Raises Throttled.

    A failure is InvalidCredentials or WrongPassword. The client's address is the one of the
    request that this thread answers.

    It looks before and after, so that of many guesses at once no more than the limit get a
    yes or a no, while any number of right ones may come in together.
    """
    buckets = _buckets(fold(name), current_network() or NOWHERE)
    _refuse_if_reached(buckets)
    try:
        yield
    except (InvalidCredentials, WrongPassword) as failure:
        asked_again = isinstance(failure, WrongPassword)
        note("password_wrong" if asked_again else "log_in_failed", who=pseudonym(name))
        counts = [(limit, limit.count_failure(whose)) for limit, whose in buckets]
        for limit, count in counts:
            limit.refuse(Count(count.number - 1, count.alone))
        raise
    _refuse_if_reached(buckets)


def _refuse_if_reached(buckets: list[tuple[Limit, str]]) -> None:
    for limit, whose in buckets:
        limit.refuse_if_reached(whose)


def _buckets(key: str, network: str) -> list[tuple[Limit, str]]:
    """Where a failure counts: for the name and for the network, both over everybody.

    But where the user of that name is logged in from this network already, in a bucket of its
    own: who guesses from elsewhere must not be able to keep the owner out.

    All names of a user are one, and so are those of before: whoever has a token could change the
    name after each few guesses at the password.
    """
    user_id, is_at_home = _user_of(key, network)
    who = key if user_id is None else f"\0{user_id}"  # which nobody can have typed
    if is_at_home:
        return [(FAILURES_OF_NAME_HERE, f"{network} {who}")]
    return [(FAILURES_OF_NAME, who), (FAILURES_OF_ADDRESS, network)]


def _user_of(key: str, network: str) -> tuple[int | None, bool]:
    """Who is called so, and whether a device of theirs is logged in from this network."""
    theirs = Login.objects.standing().filter(user=OuterRef("pk"))
    there = theirs.none() if network == NOWHERE else theirs.filter(address__range=ends_of(network))
    found = called(key).annotate(is_at_home=Exists(there)).values_list("pk", "is_at_home")
    return found.first() or (None, False)
