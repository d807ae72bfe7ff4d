"""`manage.py after_restore`: what a database needs that was restored from a backup.

Numbers have gone back, so clients must forget theirs; which logins were ended since, no backup
knows, so all end; and an id that was given since must not be given to something else, so ids go on
a million further up. It may run twice, and while servers run. All of it happens, or nothing.
"""

from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.contrib.sessions.models import Session as StaffSession
from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.db.models.functions import Now

from accounts.models import Login
from accounts.security_log import record
from sessions_app.epoch import begin_new_epoch

GAP = 1_000_000  # ids of each table: more than were given since any backup
OURS = ("accounts", "sessions_app")


class Command(BaseCommand):
    help = "After a backup was restored: a new epoch, no logins, and ids that were never given."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--keep-logins",
            action="store_true",
            help="leave people logged in, also those who were logged out since the backup: "
            "for a standby that took over and lacks some seconds",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")  # however many logins there are
            tables = [_move_ids_on(model._meta.db_table) for model in _models()]
            ended = None if options["keep_logins"] else _end_all_logins()
            epoch = begin_new_epoch()
        record("database_restored", logins=ended)
        self.stdout.write(
            f"Epoch {epoch}: every client loads its lists afresh.\n"
            + ("Logins were kept.\n" if ended is None else f"{ended} logins ended.\n")
            + f"Ids of {sum(tables)} tables go on {GAP:,} further up."
        )


def _models() -> list[Any]:
    return [model for label in OURS for model in apps.get_app_config(label).get_models()]


def _move_ids_on(table: str) -> bool:
    """Whether the table gives ids."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
        (sequence,) = cursor.fetchone()
        if sequence is None:
            return False
        cursor.execute("SELECT setval(%s, nextval(%s) + %s)", [sequence, sequence, GAP])
    return True


def _end_all_logins() -> int:
    """Sockets of servers that run are closed by `reconcile`: to announce each would be too many."""
    StaffSession.objects.all().delete()
    return Login.objects.filter(ended_at=None).update(ended_at=Now())
