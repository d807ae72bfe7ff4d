"""Deployment checks: whether mails can be sent (`manage.py check --deploy`)."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning

_NOWHERE = "django.core.mail.backends.dummy.EmailBackend"
_INTO_THE_LOG = "django.core.mail.backends.console.EmailBackend"


def mails_can_be_sent(**_: Any) -> list[CheckMessage]:
    problems = {
        "accounts.W001": (
            settings.EMAIL_BACKEND == _NOWHERE,
            "EMAIL_URL is not set: users who forget their password cannot get a new one, and get no"
            " mail when their password or address is changed.",
        ),
        "accounts.W002": (
            settings.EMAIL_BACKEND == _INTO_THE_LOG,
            "EMAIL_URL writes mails into the log: its readers can set any user's password.",
        ),
        "accounts.W003": (
            not settings.PUBLIC_URL,
            "PUBLIC_URL is not set: links to a new password need it, since the host of a request is"
            " not believed.",
        ),
    }
    return [Warning(text, id=name) for name, (found, text) in problems.items() if found]
