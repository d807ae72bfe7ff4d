"""The epoch of the database: in a new one revisions may have gone back, and clients load all again.

After a backup was restored, or a standby without the last commits has taken over, the database
gives revisions again that clients have seen already, for other changes. `manage.py after_restore`
begins a new epoch; `realtime/hub/reconcile.py` does so too where a user's revision has gone back.
"""

from __future__ import annotations

from uuid import uuid4

from sessions_app.models import Epoch


def current_epoch() -> str:
    row, _ = Epoch.objects.get_or_create(pk=1)  # the first call creates it
    return str(row.value)


def begin_new_epoch(*, instead_of: str | None = None) -> str:
    """Gives the current epoch after it. With `instead_of`, only if that is still the current one.

    So one of many processes begins it.
    """
    current = current_epoch()
    if instead_of in {None, current}:
        Epoch.objects.filter(pk=1, value=current).update(value=uuid4())
    return current_epoch()
