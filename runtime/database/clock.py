"""The database's clocks. They decide what a client can see; the clocks of servers do not."""

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


def clock_time() -> datetime:
    """This moment, in whole milliseconds. Decides state: read it after taking the lock."""
    return _read("date_trunc('milliseconds', clock_timestamp())")


def clock_time_exactly() -> datetime:
    """The same in microseconds, to compare clocks with."""
    return _read("clock_timestamp()")


def statement_time() -> datetime:
    """The start of this statement, in microseconds. Decides whether tokens and links are valid."""
    return _read("statement_timestamp()")


def _read(clock: str) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {clock}")
        now: datetime = cursor.fetchone()[0]
    return now
