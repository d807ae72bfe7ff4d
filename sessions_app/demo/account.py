"""The account that demo writes into, and how demo recognizes it.

The account is member of a group. The API cannot change groups, so demo deletes only what it made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.contrib.auth.models import Group
from django.db import connection, transaction

from accounts.models import Login, User
from accounts.names import fold
from accounts.services import logins, profiles
from runtime import deadline
from sessions_app.demo.plan import Plan
from sessions_app.demo.write import Written

MADE_BY_DEMO = "made by demo"
DEVICES = {"Laptop": timedelta(0), "Phone": timedelta(days=9)}  # first seen so long after sign-up


def find(name: str) -> User | None:
    """The user with this name, in any spelling."""
    return User.objects.filter(username_key=fold(name)).first()


def is_ours(user: User) -> bool:
    return user.groups.filter(name=MADE_BY_DEMO).exists()


@contextmanager
def unhurried() -> Iterator[None]:
    """A transaction with longer limits: it computes between statements, and deletes years at once.

    It holds rows of one account only, so no other user waits.
    """
    with deadline.unhurried(), transaction.atomic():
        with connection.cursor() as cursor:
            for limit in ("idle_in_transaction_session_timeout", "statement_timeout"):
                cursor.execute("SELECT set_config(%s, '60s', true)", [limit])
        yield


def make(name: str, email: str, password: str, plan: Plan, zone: str) -> Written:
    """Signs up and writes the plan, within `unhurried()`. Raises accounts' `InvalidInput`."""
    user = logins.sign_up(name, email, password, device="Laptop").user
    user = profiles.change_profile(user, {"time_zone": zone})
    logins.log_in(user, device="Phone")
    _backdate(user, plan)
    group, _ = Group.objects.get_or_create(name=MADE_BY_DEMO)
    user.groups.add(group)
    written = Written(plan, user)
    written.save()
    return written


def _backdate(user: User, plan: Plan) -> None:
    """Makes the account as old as the sessions in it."""
    User.objects.filter(pk=user.pk).update(date_joined=plan.since)
    for device, later in DEVICES.items():
        came = min(plan.since + later, plan.until)
        Login.objects.filter(user=user, device=device).update(first_seen=came, last_seen=plan.until)
