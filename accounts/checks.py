"""Deployment checks: whether mails can be sent (`manage.py check --deploy`)."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning

_NOWHERE = "django.core.mail.backends.dummy.EmailBackend"
_INTO_THE_LOG = "django.core.mail.backends.console.EmailBackend"


def mails_can_be_sent(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.EMAIL_BACKEND == _NOWHERE:
        found.append(
            Warning(
                "EMAIL_URL is not set: users who forget their password cannot get a new one, and"
                " get no mail when their password or address is changed.",
                id="accounts.W001",
            )
        )
    if settings.EMAIL_BACKEND == _INTO_THE_LOG:
        found.append(
            Warning(
                "EMAIL_URL writes mails into the log: its readers can set any user's password.",
                id="accounts.W002",
            )
        )
    if not settings.PUBLIC_URL:
        found.append(
            Warning(
                "PUBLIC_URL is not set: links to a new password need it, since the host of a"
                " request is not believed.",
                id="accounts.W003",
            )
        )
    return found
