"""Stores pictures, and deletes them once no committed session refers to them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.fields.files import FieldFile

from sessions_app.exceptions import StorageFailed

log = logging.getLogger(__name__)


@contextmanager
def stored(picture: ContentFile[bytes] | None) -> Iterator[str]:
    """Stores the picture, if there is one, and gives its name ("" for none).

    Use it around a transaction, not inside: storing may be slow, and the file is deleted if the
    transaction fails. The name is random, because users with the same picture must not share a
    file. Raises `StorageFailed`.
    """
    if picture is None:
        yield ""
        return
    name = f"sessions/{secrets.token_urlsafe(18)}.webp"
    try:
        default_storage.save(name, picture)
    except OSError as error:
        log.error("a picture cannot be stored: %s", error)
        _discard(name)  # the part that was written before the disk was full
        raise StorageFailed from None
    try:
        yield name
    except BaseException:
        _discard(name)
        raise


def _discard(name: str) -> None:
    try:
        default_storage.delete(name)
    except OSError as error:  # it must not hide the first error
        log.warning("an unused picture cannot be deleted: %s", error)


def discard_on_commit(picture: FieldFile) -> None:
    """Deletes the file, if there is one, once the transaction is committed."""
    if name := picture.name:
        storage = picture.storage
        transaction.on_commit(lambda: storage.delete(name), robust=True)


def session_deleted(instance: Any, **_: Any) -> None:
    """Receiver of Django's `post_delete`: also for sessions that are deleted with their user."""
    discard_on_commit(instance.image)
