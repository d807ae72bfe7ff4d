"""Stored pictures go when nothing shows them any more, and not before that is committed."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.fields.files import FieldFile


def discard_on_commit(picture: FieldFile) -> None:
    """Deletes the file, if there is one, once the transaction is committed."""
    if name := picture.name:
        storage = picture.storage
        transaction.on_commit(lambda: storage.delete(name), robust=True)


def session_deleted(instance: Any, **_: Any) -> None:
    """Receiver of Django's `post_delete`: also for sessions that go with their user."""
    discard_on_commit(instance.image)
