"""The user's own settings."""

from dataclasses import replace
from functools import cache
from typing import TypedDict
from zoneinfo import available_timezones

from django.db import IntegrityError, transaction

from accounts.credentials import refuse_taken
from accounts.events import AccountChanged, announce_change, reminders_changed
from accounts.exceptions import InvalidInput, Revoked, WrongPassword
from accounts.models import User
from accounts.names import fold, tidy_email, tidy_username
from accounts.security_log import note

_NOT_PLACES = {"Factory", "localtime"}  # some systems keep these among the zones


class Changes(TypedDict, total=False):
    """Any part of a profile: `day_start` in minutes after midnight, `reminders` in seconds."""

    username: str
    email: str
    time_zone: str
    day_start: int
    reminders: list[int]


@cache
def time_zones() -> frozenset[str]:
    """The names of all zones. (Asking the system walks through a thousand files.)"""
    return frozenset(available_timezones() - _NOT_PLACES)


def change_profile(user: User, changes: Changes, *, password: str | None = None) -> User:
    """The user as changed. Raises InvalidInput.

    Another e-mail address needs the password: whoever reads the mails there can set a new one.
    Only what is named is written: `revision` moves on meanwhile, under somebody else's lock.
    """
    values = dict(changes)
    before = AccountChanged(user.pk, "email_changed", user.username, user.email)
    current = User.objects.filter(pk=user.pk)
    if moves(user, changes):
        _refuse_wrong(password, user)
        current = current.filter(password=user.password)
    if "username" in changes:
        user.username = tidy_username(changes["username"])
        values |= {"username": user.username, "username_key": fold(user.username)}
    if "email" in changes:
        user.email = tidy_email(changes["email"])
        values |= {"email": user.email, "email_key": fold(user.email)}
    if "username" in changes or "email" in changes:
        refuse_taken(user)
    try:
        with transaction.atomic():
            written = current.update(**values) if values else current.count()
            if written and user.email != before.email:
                announce_change(before)
            if written and user.username != before.username:
                announce_change(replace(before, what="username_changed"))
            if written and "reminders" in changes:
                reminders_changed.send(sender=User, user_id=user.pk)
    except IntegrityError:
        refuse_taken(user)  # somebody was faster
        raise
    if (changed := User.objects.filter(pk=user.pk).first()) is None:
        raise Revoked  # deleted meanwhile
    if not written:
        raise WrongPassword("password")  # another device changed it while we looked
    if user.email != before.email:
        note("email_changed", user=user.pk)
    return changed


def moves(user: User, changes: Changes) -> bool:
    """Whether the user would get their mails elsewhere."""
    return "email" in changes and tidy_email(changes["email"]) != user.email


def _refuse_wrong(password: str | None, user: User) -> None:
    if password is None:
        raise InvalidInput({"password": ["Another e-mail address needs your password."]})
    if not user.check_password(password):
        raise WrongPassword("password")
