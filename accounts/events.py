"""What this app tells the rest: that logins have ended, so that their sockets close, and that a
user's reminders are others now.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from django.db import transaction
from django.dispatch import Signal

from accounts.security_log import note

Reason = Literal[
    "logged_out",  # by the device itself
    "ended_elsewhere",  # by another device of the user
    "password_changed",
    "refresh_reused",  # a superseded refresh token came back: somebody has a copy
    "deactivated",  # by support: the user may not come in
    "ended_by_support",
    "account_deleted",
]


@dataclass(frozen=True)
class LoginRevoked:
    """A login has ended; `login_id` None means all logins of the user."""

    user_id: int
    login_id: int | None
    reason: Reason


# Sent after the commit, with `send_robust`: a receiver that fails is logged, and undoes nothing.
login_revoked = Signal()  # revoked: LoginRevoked

# Sent within the transaction that changes them, which holds the user's row: what follows from it is
# committed with it, or not at all.
reminders_changed = Signal()  # user_id: int


def announce(revoked: LoginRevoked) -> None:
    """Tells the receivers once the transaction around this call is committed."""
    transaction.on_commit(partial(_tell, revoked), robust=True)


def _tell(revoked: LoginRevoked) -> None:
    note("login_ended", user=revoked.user_id, login=revoked.login_id, reason=revoked.reason)
    login_revoked.send_robust(sender=LoginRevoked, revoked=revoked)
