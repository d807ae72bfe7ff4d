"""When the next reminder of a deadline is due. Pure: the instant comes in as an argument."""

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
    """How many seconds before the end the reminder stands."""
    return round((ends_at - reminder_at).total_seconds())
