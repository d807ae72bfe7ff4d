"""The clock that decides when tokens and links are no longer good: the database's.

A server whose own clock is wrong by days lets in whom the others let in.
"""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The beginning of this statement, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
