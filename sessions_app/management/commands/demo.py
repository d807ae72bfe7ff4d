"""`manage.py demo`: makes an account with a believable year of sessions."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.exceptions import InvalidInput
from accounts.names import is_email
from accounts.services import logins
from accounts.services.profiles import time_zones
from runtime.database.clock import clock_time
from sessions_app.demo import account
from sessions_app.demo.plan import MOST_MONTHS, plan
from sessions_app.demo.write import Written

READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # no characters that are mistaken for others


class Command(BaseCommand):
    help = "Makes an account with a believable year of sessions, tasks and stars."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", default="demo", metavar="NAME", help="its name (demo)")
        parser.add_argument("--password", help="its password (made at random, and printed)")
        parser.add_argument(
            "--months", type=_months, default=12, metavar="N", help=f"1 to {MOST_MONTHS} (12)"
        )
        parser.add_argument(
            "--seed", type=int, default=1, metavar="N", help="another number, another year (1)"
        )
        parser.add_argument(
            "--time-zone", type=_zone, metavar="NAME", help="where it is lived (this machine's)"
        )
        parser.add_argument(
            "--no-running", dest="running", action="store_false", help="leave no session running"
        )
        parser.add_argument(
            "--again", action="store_true", help="delete the account that demo has made, first"
        )
        parser.add_argument(
            "--yes-in-production", action="store_true", help="make it outside of development, too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.DEVELOPMENT or options["yes_in_production"]):
            raise CommandError(
                "This Space is in production (SPACE_ENV is not development). A demo account is an"
                " account like any other: whoever knows its password can use it. Say"
                " --yes-in-production if that is what you want."
            )
        name, zone = options["user"], options["time_zone"] or _zone_here()
        password = options["password"] or _random_password()
        year = plan(
            options["seed"],
            until=clock_time(),
            zone=ZoneInfo(zone),
            months=options["months"],
            still_running=options["running"],
        )
        try:
            with account.unhurried():
                self._make_room(name, again=options["again"])
                written = account.make(name, _address_for(name), password, year, zone)
        except InvalidInput as error:
            raise CommandError(_sentences(error)) from error
        self._say(name, password, zone, written)

    def _make_room(self, name: str, *, again: bool) -> None:
        there = account.find(name)
        if there is None:
            return
        if not account.is_ours(there):
            raise CommandError(
                f"There is a user {there.username} whom demo has not made. Choose another name"
                " with --user."
            )
        if not again:
            raise CommandError(
                f"{there.username} exists. With --again it is deleted, with all that is in it, and"
                " made anew; with --user you choose another name."
            )
        logins.delete_account(there)

    def _say(self, name: str, password: str, zone: str, written: Written) -> None:
        kinds = Counter(space.type for space in written.spaces)
        days = f"{written.since:%Y-%m-%d} to {written.until:%Y-%m-%d}, {zone}"
        where = settings.PUBLIC_URL or "(start it with ./space run)"
        self.stdout.write(
            f"{len(written.sessions)} sessions with {len(written.tasks)} tasks,"
            f" {kinds['star']} stars and {kinds['planet']} planets,"
            f" {len(written.events)} changes ({days}).\n"
            f"  address    {where}\n"
            f"  user name  {name}\n"
            f"  password   {password}"
        )


def _months(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_MONTHS:
        raise ArgumentTypeError(f"a whole number from 1 to {MOST_MONTHS}")
    return int(text)


def _zone(text: str) -> str:
    if text not in time_zones():
        raise ArgumentTypeError(f"{text} is no time zone: it should be like Europe/Berlin")
    return text


def _zone_here() -> str:
    """The time zone of this machine where it can be read (Django has set TZ to its own), or UTC."""
    name = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    return name if name in time_zones() and not name.startswith("Etc/") else "UTC"


def _random_password() -> str:
    return "-".join("".join(secrets.choice(READABLE) for _ in range(4)) for _ in range(4))


def _address_for(name: str) -> str:
    """An address of a reserved domain (RFC 2606): it belongs to no person."""
    address = f"{name}@example.org"
    if not is_email(address):
        raise CommandError("--user: letters of ASCII, digits, and any of . + - _")
    return address


def _sentences(error: InvalidInput) -> str:
    return " ".join(
        f"{field}: {sentence}"
        for field, sentences in error.fields.items()
        for sentence in sentences
    )
