"""The log does not grow for ever: what is older than `HISTORY_KEPT_DAYS` is deleted.

Nobody needs it to catch up: who was away for so long is told to load the lists (`changes.py` sees
that rows are missing). Sessions, tasks and stars stay; the history of an old session is shorter.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from runtime.database.clock import clock_time
from sessions_app.models import SessionEvent

SLICE = 1_000  # rows that are looked at, and deleted, at a time

_last_cleaning: float | None = None  # on the monotonic clock


def forget_old_history(*, every: timedelta) -> None:
    """Deletes old rows of the log, at most once in `every` per process. Nothing where it is 0."""
    global _last_cleaning
    days = settings.HISTORY_KEPT_DAYS
    if days <= 0:
        return
    if _last_cleaning is not None and time.monotonic() - _last_cleaning < every.total_seconds():
        return
    until = clock_time() - timedelta(days=days)
    with transaction.atomic():
        # Rows come in the order of time, so only the first can be old: no index of `at` is needed.
        # What another timekeeper deletes is left to it.
        first = SessionEvent.objects.order_by("pk").select_for_update(skip_locked=True)
        old = [pk for pk, at in first.values_list("pk", "at")[:SLICE] if at < until]
        SessionEvent.objects.filter(pk__in=old).delete()
    if len(old) < SLICE:
        _last_cleaning = time.monotonic()  # else the rest goes next time: deadlines come first
