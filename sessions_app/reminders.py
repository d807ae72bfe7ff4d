"""Computes when the next reminder of a deadline is due. Pure: time is an argument."""

from collections.abc import Iterable
from datetime import datetime, timedelta


def next_reminder(
    ends_at: datetime | None, offsets_s: Iterable[int], after: datetime
) -> datetime | None:
    """The earliest reminder later than `after`, or None. `offsets_s`: seconds before the end."""
    if ends_at is None:
        return None
    moments = (ends_at - timedelta(seconds=offset) for offset in offsets_s)
    return min((moment for moment in moments if moment > after), default=None)


def offset_reached(ends_at: datetime, reminder_at: datetime) -> int:
    """The seconds between the reminder and the end."""
    return round((ends_at - reminder_at).total_seconds())
