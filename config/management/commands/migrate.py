"""`manage.py migrate`: Django's, with time-outs for changes beside running servers.

A statement has no time-out: an index of a large table takes minutes, and the five seconds are for
requests. The wait for a lock stays as short as that of a request, since a migration that waits for
a table keeps all requests from it. A migration that got no lock can be run again.
"""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

FOR_MIGRATIONS = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "60s",  # Python may think between two statements
}


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            for name, value in FOR_MIGRATIONS.items():
                cursor.execute(f"SET {name} = '{value}'")
        try:
            super().handle(*args, **options)
        finally:
            with connection.cursor() as cursor:
                for name in FOR_MIGRATIONS:
                    cursor.execute(f"RESET {name}")
