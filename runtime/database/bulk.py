"""Writes many rows by one statement, with their values as one JSON document.

Django's `bulk_update` makes a CASE with a branch for each row and field: that text took three
quarters of the time in which a batch of sessions ended (ADR 23). A JSON document is quick to write
and to read, and both drivers send it alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connection
from django.db.models import Field, Model

if TYPE_CHECKING:
    Column = Field[Any, Any]


def update(model: type[Model], rows: Sequence[Any], fields: Sequence[str]) -> None:
    """Writes these fields of existing rows. `rows` are objects with the model's attributes."""
    if not rows:
        return
    written = tuple(f for f in model._meta.concrete_fields if f.name in set(fields))
    with connection.cursor() as cursor:
        cursor.execute(_update(model, written), [_document(rows, (model._meta.pk, *written))])


def insert(model: type[Model], rows: Sequence[Any]) -> list[int]:
    """Inserts rows and returns their primary keys. `rows` have the model's attributes."""
    if not rows:
        return []
    written = tuple(f for f in model._meta.concrete_fields if not f.primary_key)
    with connection.cursor() as cursor:
        cursor.execute(_insert(model, written), [_document(rows, written)])
        # In the order of the document (`bulk_create` relies on that too).
        return [key for (key,) in cursor.fetchall()]


def _document(rows: Sequence[Any], fields: tuple[Column, ...]) -> str:
    names = [(f.column, f.attname) for f in fields]
    return msgspec.json.encode(
        [{column: getattr(row, attribute) for column, attribute in names} for row in rows]
    ).decode()


@cache
def _update(model: type[Model], fields: tuple[Column, ...]) -> str:
    meta = model._meta
    assigned = ", ".join(f"{f.column} = given.{f.column}" for f in fields)
    return (
        f"UPDATE {meta.db_table} kept SET {assigned}"  # noqa: S608 -- names of our models
        f" FROM {_given(meta.pk, *fields)} WHERE kept.{meta.pk.column} = given.{meta.pk.column}"
    )


@cache
def _insert(model: type[Model], fields: tuple[Column, ...]) -> str:
    meta = model._meta
    columns = ", ".join(f"{f.column}" for f in fields)
    return (
        f"INSERT INTO {meta.db_table} ({columns})"  # noqa: S608 -- names of our models
        f" SELECT {columns} FROM {_given(*fields)} RETURNING {meta.pk.column}"
    )


def _given(*fields: Column) -> str:
    """The document as a table."""
    columns = ", ".join(f"{f.column} {f.cast_db_type(connection)}" for f in fields)
    return f"json_to_recordset(%s) AS given({columns})"
