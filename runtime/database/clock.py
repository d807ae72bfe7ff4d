"""The one clock that decides state: the database's, in whole milliseconds."""

from datetime import datetime

from django.db import connection
from django.db.models import DateTimeField, Func


class ClockTimestamp(Func):
    """`clock_timestamp()`, cut to the millisecond, as an annotation.

    Not `now()`: that is the start of the transaction, which would eat the wait for a lock. Whole
    milliseconds, so that intervals add up exactly.
    """

    template = "date_trunc('milliseconds', clock_timestamp())"
    arity = 0
    output_field = DateTimeField()


def database_now() -> datetime:
    """The database's clock at this moment. Read it after taking the lock that decides."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT date_trunc('milliseconds', clock_timestamp())")
        now: datetime = cursor.fetchone()[0]
    return now


def database_now_exactly() -> datetime:
    """The same in microseconds, to compare clocks with."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
