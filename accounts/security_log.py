"""The security log: a line for each event of an account or a limit, in logger `space.security`.

    log_in_failed address=192.0.2.1 who=5f2b8c0d91aa
    login_ended user=7 login=31 reason=password_changed

The values are in the line and, for a JSON log, attributes of the record (`extra`). A line contains
no password, token or e-mail address. Of a name that was typed it has only the `pseudonym`, since
people type passwords there too.
"""

from __future__ import annotations

import hmac
import logging
from typing import Literal, get_args

from django.conf import settings

from accounts.names import fold
from runtime.client_address import current_network
from runtime.stats import LabelledCounter

log = logging.getLogger("space.security")

Event = Literal[
    "signed_up",
    "logged_in",
    "log_in_failed",
    "password_wrong",  # asked for again, of a user who is logged in
    "password_changed",
    "password_reset_asked",
    "password_reset",
    "email_changed",
    "refresh_reused",
    "login_ended",
    "account_deactivated",
    "account_reactivated",
    "account_deleted",
    "account_exported",
    "limit_reached",
    "admin_logged_in",
    "admin_acted",
    "database_restored",  # `manage.py after_restore`; `logins`: how many it ended
]
counts = LabelledCounter(
    "space_account_events",
    "Events of accounts and limits (`space.security` in the log).",
    "event",
    get_args(Event),
)
WARNINGS: frozenset[Event] = frozenset({"refresh_reused", "limit_reached"})


def record(event: Event, **details: str | int | None) -> None:
    """Logs one line, without the `details` (user, login, who, reason, ...) that are None. The
    client's address is added where a request is being answered.
    """
    counts.add(event)
    known = {"address": current_network(), **details}
    said = {name: value for name, value in known.items() if value is not None}
    line = " ".join([event, *(f"{name}={value}" for name, value in said.items())])
    level = logging.WARNING if event in WARNINGS else logging.INFO
    log.log(level, "%s", line, extra={"event": event, **said})


def pseudonym(name: str) -> str:
    """The same for each spelling of a name, so that the lines about one name can be found. Without
    `SECRET_KEY` the name cannot be read from it.
    """
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, fold(name).encode(errors="replace"), "sha256").hexdigest()[:12]
