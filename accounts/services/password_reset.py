"""Password reset: a link by mail, valid once and for an hour.

Its token is Django's: a keyed hash over the user's password, address and the time. So nothing is
stored, and a link that was used, or is older than a change of either, is no longer valid.
"""

import logging
from datetime import datetime
from functools import partial

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from accounts.exceptions import LinkNotValid
from accounts.limits import RESET_MAILS
from accounts.mail import messages, queue
from accounts.models import User
from accounts.names import fold
from accounts.services import logins
from runtime.database.clock import statement_time

log = logging.getLogger(__name__)

_LARGEST_ID = 2**63 - 1


class _Tokens(PasswordResetTokenGenerator):
    """Django's, by the database's clock."""

    def _now(self) -> datetime:
        return statement_time().replace(tzinfo=None)


_tokens = _Tokens()


def request_link(email: str, base: str) -> None:
    """Sends a link to the user of this address, if there is one. Returns at once.

    The work that could reveal whether there is one happens in the background. The link starts
    with `base`.
    """
    queue.put(partial(_send_link, email, base))


def reset(uid: str, token: str, new: str) -> int:
    """Sets the password by a link and ends every login. Returns how many.

    Raises LinkNotValid, and InvalidInput for a password that is too weak: the link stays good then.
    """
    user = _user_of(uid)
    # Django encodes both to compare them, and not every text can be encoded.
    if user is None or not token.isascii() or not _tokens.check_token(user, token):
        raise LinkNotValid
    return logins.reset_password(user, new)


def link(user: User, base: str) -> str:
    """With the token in the fragment: browsers send that to no server, log or `Referer`."""
    uid = urlsafe_base64_encode(str(user.pk).encode())
    return f"{base}/#reset/{uid}/{_tokens.make_token(user)}"


def _send_link(email: str, base: str) -> None:
    user = User.objects.filter(email_key=fold(email), is_active=True).first()
    if user is None or not user.has_usable_password():
        return
    if not base:
        log.error("PUBLIC_URL is not set: no link to a new password can be sent")
        return
    if not RESET_MAILS.takes(user.pk):
        return
    minutes = settings.PASSWORD_RESET_TIMEOUT // 60
    # To the address that is stored, not to the one that was typed, which may only look the same.
    queue.send(messages.reset_link(user.username, link(user, base), minutes), user.email)


def _user_of(uid: str) -> User | None:
    try:
        digits = urlsafe_base64_decode(uid).decode("ascii")
    except ValueError:
        return None
    if not digits.isdigit() or len(digits) > 19 or int(digits) > _LARGEST_ID:
        return None
    return User.objects.filter(pk=int(digits), is_active=True).first()
