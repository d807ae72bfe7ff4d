"""Who deletes the account leaves nothing behind, in no table and no folder, of now or of later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models
from django.test import TestCase

from accounts.models import User
from tests.support.belongings import of_a_user, with_everything
from tests.support.people import Person, signed_up

pytestmark = pytest.mark.django_db

MARK = "qzx"  # stands in every text of the user's, and nowhere else


def deleted(person: Person) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        assert person.delete("/users/me/").status_code == 204


def tables() -> list[str]:
    """Of the whole database, not only those that a model knows."""
    return connection.introspection.table_names()


def columns_to(table: str) -> list[tuple[str, str]]:
    """Each column, of any table, with a foreign key to this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
            WHERE c.contype = 'f' AND c.confrelid = %s::regclass
            """,
            [table],
        )
        return cursor.fetchall()


def columns_called_user() -> list[tuple[str, str]]:
    """Numbers that are called after a user, foreign key or not."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT table_name, column_name FROM information_schema.columns
            WHERE table_schema = current_schema() AND column_name ~ '(user|owner)'
              AND data_type IN ('bigint', 'integer')
            """
        )
        return cursor.fetchall()


def count(table: str, column: str, value: int) -> int:
    name = connection.ops.quote_name
    with connection.cursor() as cursor:
        sql = f"SELECT count(*) FROM {name(table)} WHERE {name(column)} = %s"  # noqa: S608
        cursor.execute(sql, [value])
        return int(cursor.fetchone()[0])


def marked(table: str) -> int:
    """Rows in which the mark stands, in whatever column."""
    name = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {name} r WHERE r::text ILIKE %s", [f"%{MARK}%"])  # noqa: S608
        return int(cursor.fetchone()[0])


def files(settings: Any) -> list[Path]:
    return [file for file in Path(settings.MEDIA_ROOT).rglob("*") if file.is_file()]


def test_nothing_of_a_deleted_user_is_left_anywhere(settings: Any, eve: Person) -> None:
    before = {table: marked(table) for table in tables()}
    assert not any(before.values())
    ada = signed_up(f"ada{MARK}", device=f"Laptop{MARK}")
    with_everything(ada, MARK)
    with_everything(eve)
    refers = set(columns_to("accounts_user")) | set(columns_called_user())
    # A table that is added later must be filled by `with_everything`, or nothing is proved here.
    assert {table for table, column in refers if not count(table, column, ada.user_id)} == set()
    empty = {model for model in of_a_user() if not model._base_manager.exists()}
    assert empty == set()
    assert sum(marked(table) > 0 for table in tables()) >= 6
    assert len(files(settings)) == 2

    deleted(ada)

    assert {table: marked(table) for table in tables()} == before
    assert [where for where in refers if count(*where, ada.user_id)] == []
    assert not User.objects.filter(pk=ada.user_id).exists()
    assert len(files(settings)) == 1
    assert eve.get("/users/me/").status_code == 200
    assert len(eve.get("/sessions/").json()) == 2


def test_every_row_of_a_user_is_deleted_with_the_user() -> None:
    """Not: is kept without one, or keeps the user from going."""
    for model in of_a_user():
        for field in model._meta.fields:
            if field.related_model in of_a_user():
                assert field.remote_field.on_delete is models.CASCADE, field


def test_a_user_with_thousands_of_rows_can_be_deleted(ada: Person) -> None:
    with_everything(ada)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sessions_app_session (user_id, title, duration, image, sound, created_at,
                updated_at, version, task_minutes, status, planned_ms)
            SELECT %s, 'Write', 25, '', '', now(), now(), 1, 0, 'ready', 1500000
            FROM generate_series(1, 5000)
            """,
            [ada.user_id],
        )
    deleted(ada)
    assert not User.objects.filter(pk=ada.user_id).exists()


@pytest.mark.skipif(
    not apps.is_installed("django.contrib.sessions"), reason="there is no admin to sign in to"
)
def test_a_deleted_user_is_signed_out_of_the_admin(ada: Person, eve: Person) -> None:
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session

    User.objects.filter(pk__in=[ada.user_id, eve.user_id]).update(is_staff=True)
    for person in (ada, eve):
        store = SessionStore()
        store["_auth_user_id"] = str(person.user_id)
        store.save()
    deleted(ada)
    (left,) = Session.objects.all()
    assert left.get_decoded() == {"_auth_user_id": str(eve.user_id)}
