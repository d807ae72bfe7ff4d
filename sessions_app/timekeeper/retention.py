"""Purges the log: changes older than `HISTORY_KEPT_DAYS` are deleted.

A device that was away for so long loads its lists, because `changes.py` sees that rows are missing.
Sessions, tasks and stars stay.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from runtime.database.clock import clock_time
from sessions_app.models import SessionEvent

BATCH = 1_000  # rows that are read, and deleted, at a time


def purge_old_events() -> bool:
    """Deletes a batch of old rows of the log. True if no more are left. Nothing where days is 0."""
    days = settings.HISTORY_KEPT_DAYS
    if days <= 0:
        return True
    until = clock_time() - timedelta(days=days)
    with transaction.atomic():
        # Rows are in the order of time, so old ones come first: no index of `at` is needed.
        # Rows that another timekeeper has locked are skipped.
        first = SessionEvent.objects.order_by("pk").select_for_update(skip_locked=True)
        old = [pk for pk, at in first.values_list("pk", "at")[:BATCH] if at < until]
        SessionEvent.objects.filter(pk__in=old).delete()
    return len(old) < BATCH
