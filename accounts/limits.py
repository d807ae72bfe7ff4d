"""Rate limits.

A `Limit` counts one thing for each user, network or name that it concerns, in a window of time.
Views take it as a throttle (`api/throttling.py`), other code calls it:

    RESET_MAILS = Limit("reset mails", "LIMIT_RESET_MAILS_PER_HOUR", HOUR_S)
    if RESET_MAILS.takes(user.pk): ...

The numbers are settings (`config/variables.py`), read when they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from accounts.counters import MINUTE_S, Count, raise_count, seconds_left
from accounts.exceptions import TooManyRequests
from accounts.security_log import pseudonym, record

HOUR_S = 60 * 60


@dataclass(frozen=True)
class Limit:
    """At most the setting's number of `what` in `window_s` seconds, for each key."""

    what: str
    setting: str
    window_s: int = MINUTE_S

    def takes(self, key: object) -> bool:
        """Counts one more: whether that is within the limit."""
        count = raise_count(self.name_of(key), self.window_s)
        if count.number == count.allowed(self.number) + 1:  # once in a window, or it floods the log
            self._log(key)
        return not count.is_above(self.number)

    def charge(self, key: object, count: int) -> None:
        """Counts so many more, for what has been done already."""
        if count:
            raise_count(self.name_of(key), self.window_s, count)

    def count_failure(self, key: object) -> Count:
        """Counts one more, of what is counted only when it failed."""
        count = raise_count(self.name_of(key), self.window_s)
        if count.number == count.allowed(self.number):
            self._log(key)
        return count

    def refuse(self, before: Count) -> None:
        """Raises TooManyRequests where `before` leaves no room for one more."""
        if before.number >= before.allowed(self.number):
            raise TooManyRequests(wait_s=seconds_left(self.window_s))

    @property
    def number(self) -> int:
        number: int = getattr(settings, self.setting)
        return number

    def name_of(self, key: object) -> str:
        """The name of its counter."""
        return f"{self.what} {key}"

    def _log(self, key: object) -> None:
        shown = key if isinstance(key, int) else pseudonym(str(key))
        record("limit_reached", limit=self.what, of=shown)


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
