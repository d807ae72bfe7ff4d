"""`manage.py after_restore`: prepares a database that was restored from a backup.

Revisions have gone back, so a new epoch makes clients load all again. The backup does not know
which logins have ended since, so all logins end. Ids that were given since must not be given again,
so ids continue a million higher. It may run twice, and while servers run, in one transaction.
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
    """`reconcile` closes the sockets of running servers: announcing each would be too many."""
    StaffSession.objects.all().delete()
    return Login.objects.filter(ended_at=None).update(ended_at=Now())
