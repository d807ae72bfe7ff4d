"""The signals of accounts: a login has ended, a credential has changed, reminders have changed.

Sockets of an ended login close, and users get a mail about changed credentials.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from django.db import transaction
from django.dispatch import Signal

from accounts.security_log import record

Reason = Literal[
    "logged_out",  # by the device itself
    "ended_elsewhere",  # by another device of the user
    "password_changed",
    "password_reset",  # by a link that was sent to the user
    "refresh_reused",  # a superseded refresh token came back: there is a copy
    "deactivated",  # by support: the user is inactive
    "ended_by_support",
    "too_many_logins",  # a new one took the place of the one that was seen longest ago
    "account_deleted",
]


@dataclass(frozen=True)
class LoginRevoked:
    """A login has ended; `login_id` None means all logins of the user."""

    user_id: int
    login_id: int | None
    reason: Reason


@dataclass(frozen=True)
class AccountChanged:
    """A credential has changed. `username` and `email` are those of before the change."""

    user_id: int
    what: Literal["password_changed", "password_reset", "email_changed", "username_changed"]
    username: str
    email: str


# Sent after the commit, with `send_robust`: a receiver that fails is logged, and undoes nothing.
login_revoked = Signal()  # revoked: LoginRevoked
account_changed = Signal()  # changed: AccountChanged

# Sent within the transaction that changes them, which holds the user's row: its receivers' changes
# are committed with it, or not at all.
reminders_changed = Signal()  # user_id: int


def announce(revoked: LoginRevoked) -> None:
    """Sends `login_revoked` once the transaction around this call is committed."""
    transaction.on_commit(partial(_send_revoked, revoked), robust=True)


def _send_revoked(revoked: LoginRevoked) -> None:
    record("login_ended", user=revoked.user_id, login=revoked.login_id, reason=revoked.reason)
    login_revoked.send_robust(sender=LoginRevoked, revoked=revoked)


def announce_change(changed: AccountChanged) -> None:
    """Sends `account_changed` once the transaction around this call is committed."""
    transaction.on_commit(
        partial(account_changed.send_robust, sender=AccountChanged, changed=changed), robust=True
    )
