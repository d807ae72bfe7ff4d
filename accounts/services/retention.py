"""Purges logins that ended, or expired, longer ago than the retention period."""

import time
from datetime import timedelta

from django.db import transaction

from accounts.models import Login

RETENTION = timedelta(days=30)  # after a login ended, or its refresh token expired
BATCH = 1_000  # rows that are deleted at a time

_last_purge: float | None = None  # on the monotonic clock


def purge_old_logins(*, every: timedelta) -> None:
    """Deletes old logins, at most once in `every` per process. Their tokens stay Revoked."""
    global _last_purge
    if _last_purge is not None and time.monotonic() - _last_purge < every.total_seconds():
        return
    with transaction.atomic():
        # Rows that another transaction holds (another timekeeper, a deletion) are left to it.
        old = Login.objects.purgeable(RETENTION).select_for_update(skip_locked=True, of=("self",))
        ids = list(old.values_list("pk", flat=True)[:BATCH])
        Login.objects.filter(pk__in=ids).delete()
    if len(ids) < BATCH:
        _last_purge = time.monotonic()  # else the rest is deleted next time: deadlines come first
