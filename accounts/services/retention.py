"""Purges logins that ended, or expired, longer ago than the retention period."""

from datetime import timedelta

from django.db import transaction

from accounts.models import Login

RETENTION = timedelta(days=30)  # after a login ended, or its refresh token expired
BATCH = 1_000  # rows that are deleted at a time


def purge_old_logins() -> bool:
    """Deletes a batch of old logins; their tokens stay revoked. True if no more are left."""
    with transaction.atomic():
        # Rows that another timekeeper or the deletion of an account has locked are skipped.
        old = Login.objects.purgeable(RETENTION).select_for_update(skip_locked=True, of=("self",))
        ids = list(old.values_list("pk", flat=True)[:BATCH])
        Login.objects.filter(pk__in=ids).delete()
    return len(ids) < BATCH
