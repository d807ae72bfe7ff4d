"""Changes of the user's profile."""

from dataclasses import replace
from functools import cache
from typing import TypedDict
from zoneinfo import available_timezones

from django.db import IntegrityError, transaction

from accounts.auth.attempts import confirm_password
from accounts.auth.credentials import refuse_taken
from accounts.events import AccountChanged, announce_change, reminders_changed
from accounts.exceptions import InvalidInput, Revoked, WrongPassword
from accounts.models import User
from accounts.names import fold, normal_email, normal_username
from accounts.security_log import record

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

    Another e-mail address needs the password: a reader of its mails can set a new one. Only the
    named columns are written: another transaction may raise `revision` meanwhile.
    """
    if _moves(user, changes):
        if password is None:
            raise InvalidInput({"password": ["Another e-mail address needs your password."]})
        confirm_password(user, password, field="password")  # slow, so before the transaction
    try:
        with transaction.atomic():
            moved = _change(user, changes, password)
    except IntegrityError:
        refuse_taken(_renamed(user, changes))  # another request was faster
        raise
    if (changed := User.objects.filter(pk=user.pk).first()) is None:
        raise Revoked  # deleted meanwhile
    if moved:
        record("email_changed", user=user.pk)
    return changed


def _change(user: User, changes: Changes, password: str | None) -> bool:
    """Whether the e-mail address changed. `user` is as read when the password was checked."""
    names = changes.keys() & {"username", "email"}
    # Which names are allowed depends on the address, and the other way round: another request must
    # not change the one while this one checks the other. (The lock that changing a key needs, from
    # the beginning: taking a stronger one later could deadlock.)
    row = User.objects.select_for_update(no_key=not names).filter(pk=user.pk)
    if (stored := row.first()) is None:
        raise Revoked
    if _moves(stored, changes) and (password is None or stored.password != user.password):
        raise WrongPassword("password")  # another device changed it meanwhile
    before = AccountChanged(stored.pk, "email_changed", stored.username, stored.email)
    values = dict(changes)
    if names:
        new = _renamed(stored, changes)
        refuse_taken(new)
        values |= {"username": new.username, "username_key": fold(new.username)}
        values |= {"email": new.email, "email_key": fold(new.email)}
        if new.email != before.email:
            announce_change(before)
        if new.username != before.username:
            announce_change(replace(before, what="username_changed"))
    if values:
        User.objects.filter(pk=user.pk).update(**values)
    if "reminders" in changes:
        reminders_changed.send(sender=User, user_id=user.pk)
    return _moves(stored, changes)


def _renamed(user: User, changes: Changes) -> User:
    """For `refuse_taken`. Not to be saved."""
    return User(
        pk=user.pk,
        username=normal_username(changes.get("username", user.username)),
        email=normal_email(changes.get("email", user.email)),
    )


def _moves(user: User, changes: Changes) -> bool:
    """Whether the e-mail address would change."""
    return "email" in changes and normal_email(changes["email"]) != user.email
