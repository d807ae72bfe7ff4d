"""Whether the version before can go on while a migration runs, and after it.

    problems(migration)     what of it would hold others up, or break the code that is still there

A release is expanded in one version and contracted in a later one: first a column that may be left
out, then code that uses it; first code that no longer uses it, then its end. Only what is known to
be harmless passes. What a person has thought through says so in the migration, and why:

    class Migration(migrations.Migration):
        beside_old_code = "nothing has read this column since 0.3"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import connection
from django.db.migrations import Migration, operations
from django.db.migrations.state import ProjectState
from django.db.models import Value

# The first release is made on an empty database.
BASELINE = {
    ("accounts", "0001_initial"),
    ("sessions_app", "0001_initial"),
    ("sessions_app", "0002_task_minutes_trigger"),
}
HARMLESS = (
    *(operations.CreateModel, operations.AlterModelOptions, operations.AlterModelManagers),
    *(AddIndexConcurrently, RemoveIndexConcurrently, AddConstraintNotValid, ValidateConstraint),
)
WHY_NOT = {
    operations.AddIndex: "locks the table while it is made: use AddIndexConcurrently",
    operations.RemoveIndex: "locks the table: use RemoveIndexConcurrently",
    operations.AddConstraint: "reads the whole table under a lock, and old code may write what it "
    "forbids: AddConstraintNotValid now, ValidateConstraint in a later migration",
    operations.RemoveField: "code that is still there reads it: remove it in a later release",
    operations.DeleteModel: "code that is still there reads it: remove it in a later release",
    operations.RenameField: "code that is still there uses the old name: add a new one",
    operations.RenameModel: "code that is still there uses the old name: add a new one",
    operations.AlterModelTable: "code that is still there uses the old name: add a new one",
    operations.RunPython: "one transaction may hold many rows for long: work in batches, by a "
    "command or in a migration that is not atomic, and say so",
    operations.RunSQL: "nobody knows what it does: say why it holds nobody up",
}


def problems(migration: Migration, before: ProjectState) -> list[str]:
    """A sentence for each operation that does not pass. `before`: the state that it starts from."""
    if (migration.app_label, migration.name) in BASELINE:
        return []
    if getattr(migration, "beside_old_code", ""):
        return []
    state, found = before.clone(), []
    for operation in migration.operations:
        after = state.clone()
        operation.state_forwards(migration.app_label, after)
        found += [
            f"{migration.app_label}.{migration.name}: {operation.describe()}: {why}"
            for why in _why_not(operation, migration.app_label, state, after)
        ]
        state = after
    return found


def _why_not(
    operation: Any, app_label: str, before: ProjectState, after: ProjectState
) -> Iterator[str]:
    if isinstance(operation, operations.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from _why_not(inner, app_label, before, after)
    elif isinstance(operation, operations.AddField):
        yield from _of_a_new_column(operation.field)
    elif isinstance(operation, operations.AlterField):
        if _sql(operation, app_label, before, after):
            yield "changes a column that others use: add a new one"
    elif not isinstance(operation, HARMLESS):
        yield WHY_NOT.get(type(operation), "is not known to hold nobody up")


def _of_a_new_column(field: Any) -> Iterator[str]:
    if not field.null and not field.has_db_default() and not field.many_to_many:
        yield "old code leaves it out, and it may not be empty: give it a db_default"
    if hasattr(field.db_default, "resolve_expression") and not isinstance(field.db_default, Value):
        yield "a default that is computed rewrites every row: use a constant"
    if field.unique or field.db_index:
        yield "its index is made under a lock: db_index=False, and AddIndexConcurrently"


def _sql(operation: Any, app_label: str, before: ProjectState, after: ProjectState) -> list[str]:
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        operation.database_forwards(app_label, editor, before, after)
    return [line for line in editor.collected_sql if not line.startswith("--")]
