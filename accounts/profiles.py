"""The user's own settings."""

from functools import cache
from typing import TypedDict
from zoneinfo import available_timezones

from django.db import IntegrityError, transaction

from accounts.credentials import refuse_taken
from accounts.events import reminders_changed
from accounts.exceptions import Revoked
from accounts.models import User
from accounts.names import fold, tidy_email, tidy_username

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


def change_profile(user: User, changes: Changes) -> User:
    """The user as changed. Raises InvalidInput.

    Only what is named is written: `revision` moves on meanwhile, under somebody else's lock.
    """
    values = dict(changes)
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
            User.objects.filter(pk=user.pk).update(**values)
            if "reminders" in changes:
                reminders_changed.send(sender=User, user_id=user.pk)
    except IntegrityError:
        refuse_taken(user)  # somebody was faster
        raise
    if (changed := User.objects.filter(pk=user.pk).first()) is None:
        raise Revoked  # deleted meanwhile
    return changed
