"""E-mails the account's owner when a credential changes."""

from functools import partial
from typing import Any

from accounts.events import AccountChanged, LoginRevoked
from accounts.limits import NOTICES
from accounts.mail import messages, queue
from accounts.models import Login, User

_MESSAGES = {
    "password_changed": messages.password_changed,
    "password_reset": messages.password_reset,
    "email_changed": messages.email_changed,
    "username_changed": messages.username_changed,
}


def send_change_notice(changed: AccountChanged, **_: Any) -> None:
    """Receiver of `account_changed`."""
    message = _MESSAGES[changed.what](changed.username)
    queue.put(partial(_send, message, changed.email, changed.user_id))


def send_revocation_notice(revoked: LoginRevoked, **_: Any) -> None:
    """Receiver of `login_revoked`: the owner already knows of most reasons."""
    if revoked.reason == "refresh_reused" and revoked.login_id is not None:
        queue.put(partial(_send_reused, revoked.login_id))
    if revoked.reason == "password_changed" and revoked.login_id is None:  # from outside
        queue.put(partial(_send_changed, revoked.user_id))


def _send_reused(login_id: int) -> None:
    login = Login.objects.select_related("user").filter(pk=login_id).first()
    if login is not None:
        message = messages.refresh_reused(login.user.username, login.device)
        _send(message, login.user.email, login.user_id)


def _send_changed(user_id: int) -> None:
    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        _send(messages.password_changed(user.username), user.email, user.pk)


def _send(message: messages.Message, to: str, user_id: int) -> None:
    # A user can enter any address, so mails to it are limited. Each kind has its own count, or a
    # thief would use it up with new names and then change the address.
    if NOTICES.takes(f"{user_id} {message.subject}"):
        queue.send(message, to)
