"""The name of the life of this database. Another one: numbers went back, and clients start over.

A backup that is restored, or a standby that takes over without the last commits, gives numbers
again that clients have seen already, for other changes. `manage.py after_restore` begins a new
epoch; `realtime/hub/reconcile.py` does so too where it sees that a user's revision went back.
"""

from __future__ import annotations

from uuid import uuid4

from sessions_app.models import Epoch


def current_epoch() -> str:
    row, _ = Epoch.objects.get_or_create(pk=1)  # the first to ask names it
    return str(row.value)


def begin_new_epoch(*, instead_of: str | None = None) -> str:
    """The name of the new one. With `instead_of` nothing begins where that one has ended already.

    So of many processes that see the same, one begins it.
    """
    current = current_epoch()
    if instead_of in {None, current}:
        Epoch.objects.filter(pk=1, value=current).update(value=uuid4())
    return current_epoch()
