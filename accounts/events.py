"""What this app tells the rest: that logins have ended, so that their sockets close; that what
somebody gets in with is another now, so that they hear of it; that a user's reminders are others.
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
    "refresh_reused",  # a superseded refresh token came back: somebody has a copy
    "deactivated",  # by support: the user may not come in
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
    """What somebody gets in with is another now. `username` and `email` are those of before."""

    user_id: int
    what: Literal["password_changed", "password_reset", "email_changed", "username_changed"]
    username: str
    email: str


# Sent after the commit, with `send_robust`: a receiver that fails is logged, and undoes nothing.
login_revoked = Signal()  # revoked: LoginRevoked
account_changed = Signal()  # changed: AccountChanged

# Sent within the transaction that changes them, which holds the user's row: what follows from it is
# committed with it, or not at all.
reminders_changed = Signal()  # user_id: int


def announce(revoked: LoginRevoked) -> None:
    """Tells the receivers once the transaction around this call is committed."""
    transaction.on_commit(partial(_send_revoked, revoked), robust=True)


def _send_revoked(revoked: LoginRevoked) -> None:
    record("login_ended", user=revoked.user_id, login=revoked.login_id, reason=revoked.reason)
    login_revoked.send_robust(sender=LoginRevoked, revoked=revoked)


def announce_change(changed: AccountChanged) -> None:
    """The same for what somebody gets in with."""
    transaction.on_commit(
        partial(account_changed.send_robust, sender=AccountChanged, changed=changed), robust=True
    )
