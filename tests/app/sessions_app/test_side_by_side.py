"""A newer version has added a column to every table, and this one runs beside it.

`tests/support/side_by_side.py` lets no other migration pass without a word. So what is written here
names its columns, those that write many rows at a time (`bulk.py`) too.
"""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection

from accounts.models import User
from accounts.services import logins
from sessions_app import changes, services
from sessions_app.idempotency import once
from sessions_app.timekeeper.loop import finish_due
from tests.support.people import signed_up, time_passes

pytestmark = pytest.mark.django_db


def add_a_column_to_every_table() -> None:
    with connection.cursor() as cursor:
        for label in ("accounts", "sessions_app"):
            for model in apps.get_app_config(label).get_models():
                table = model._meta.db_table
                cursor.execute(f"ALTER TABLE {table} ADD later integer NOT NULL DEFAULT 7")


def test_this_version_works_with_the_columns_of_a_newer_one(patient: None) -> None:
    add_a_column_to_every_table()
    ada = signed_up("ada")
    logins.log_in(ada.user)
    session = ada.has_running()
    task = services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
    services.edit_task(session.id, task.id, {"done": True}, by=ada.actor)
    services.pause(session.id, by=ada.actor)
    services.resume(session.id, by=ada.actor)
    time_passes(26 * 60)
    assert finish_due() == 1
    assert once(ada.user_id, "key", {}, lambda: "answer", str).state == "answer"
    missed = changes.missed(ada.user_id, since=0)
    assert [change.kind for change in missed.changes][-1] == "completed"
    assert missed.changes[-1].space is not None
    services.delete(session.id, by=ada.actor)
    logins.delete_account(User.objects.get(pk=ada.user_id))
    assert not User.objects.exists()
