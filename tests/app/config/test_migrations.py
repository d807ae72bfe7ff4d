"""Old and new code run side by side on one database: no migration may block the old code."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.models.functions import Now

from tests.support.side_by_side import problems

OURS = ("accounts", "sessions_app")
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def loader() -> MigrationLoader:
    return MigrationLoader(None)


def newest(loader: MigrationLoader) -> Any:
    return loader.project_state()


def test_our_migrations_do_not_block_old_code(loader: MigrationLoader) -> None:
    found = []
    for key, migration in loader.disk_migrations.items():
        if key[0] in OURS:
            found += problems(migration, loader.project_state(key, at_end=False))
    assert found == []


def made_of(*operations: Any, beside_old_code: str = "") -> migrations.Migration:
    migration = migrations.Migration("9999_to_come", "accounts")
    migration.operations = list(operations)
    if beside_old_code:
        migration.beside_old_code = beside_old_code  # type: ignore[attr-defined]
    return migration


INDEX = models.Index(fields=["device"], name="by_device")
CHECK = models.CheckConstraint(condition=models.Q(device__gt=""), name="has_device")


def add(field: models.Field[Any, Any]) -> migrations.AddField:
    return migrations.AddField("login", "colour", field)


@pytest.mark.parametrize(
    "operation",
    [
        add(models.TextField(null=True)),
        add(models.IntegerField(default=0, db_default=0)),
        migrations.AlterField("login", "device", models.CharField(max_length=64, blank=True)),
        AddIndexConcurrently("login", INDEX),
        migrations.CreateModel("Colour", [("id", models.BigAutoField(primary_key=True))]),
    ],
    ids=lambda operation: operation.describe(),
)
def test_an_operation_that_only_adds_is_allowed(loader: MigrationLoader, operation: Any) -> None:
    assert problems(made_of(operation), newest(loader)) == []


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (add(models.IntegerField(default=0)), "db_default"),
        (add(models.DateTimeField(db_default=Now())), "computed"),
        (add(models.TextField(null=True, db_index=True)), "AddIndexConcurrently"),
        (add(models.TextField(null=True, unique=True)), "AddIndexConcurrently"),
        (migrations.RemoveField("login", "device"), "later release"),
        (migrations.RenameField("login", "device", "name"), "old name"),
        (migrations.RenameModel("Login", "Entry"), "old name"),
        (migrations.DeleteModel("Login"), "later release"),
        (migrations.AlterModelTable("login", "logins"), "old name"),
        (migrations.AlterField("login", "device", models.TextField()), "column that others use"),
        (migrations.AddIndex("login", INDEX), "AddIndexConcurrently"),
        (migrations.AddConstraint("login", CHECK), "AddConstraintNotValid"),
        (migrations.RunPython(migrations.RunPython.noop), "batches"),
        (migrations.RunSQL("UPDATE accounts_login SET device = ''"), "nobody knows"),
        (migrations.AlterUniqueTogether("login", {("device",)}), "not known"),
        (
            migrations.SeparateDatabaseAndState([migrations.RunSQL("SELECT 1")]),
            "nobody knows",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_an_operation_that_blocks_or_breaks_old_code_is_found(
    loader: MigrationLoader, operation: Any, why: str
) -> None:
    (found,) = problems(made_of(operation), newest(loader))
    assert why in found


def test_a_migration_may_give_a_reason_for_an_exception(loader: MigrationLoader) -> None:
    removed = migrations.RemoveField("login", "device")
    assert problems(made_of(removed, beside_old_code="not read since 0.3"), newest(loader)) == []


def test_a_migration_has_no_statement_timeout_and_a_short_lock_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = {}

    def record(_command: Any, *_: Any, **__: Any) -> None:
        seen.update(timeouts())

    monkeypatch.setattr("django.core.management.commands.migrate.Command.handle", record)
    before = timeouts()
    call_command("migrate", verbosity=0)
    assert (before["statement_timeout"], seen["statement_timeout"]) == ("5s", "0")
    assert seen["lock_timeout"] == before["lock_timeout"] == "2s"
    assert seen["idle_in_transaction_session_timeout"] == "1min"
    assert timeouts()["statement_timeout"] == "5s"


def timeouts() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name ~ 'timeout'")
        return dict(cursor.fetchall())
