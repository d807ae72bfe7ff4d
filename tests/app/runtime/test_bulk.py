"""Rows in bulk are the rows that the ORM would have written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runtime.database import bulk
from sessions_app.models import SessionEvent
from tests.support.people import Person

AT = datetime(2026, 11, 22, 23, 59, 59, 123_000, tzinfo=UTC)


def logged(person: Person, number: int, **more: Any) -> SessionEvent:
    values: dict[str, Any] = {
        "user_id": person.user_id,
        "revision": number,
        "session_id": number,
        "version": 1,
        "kind": "edited",
        "at": AT,
        **more,
    }
    return SessionEvent(**values)


def columns(event: SessionEvent) -> dict[str, Any]:
    return {f.attname: getattr(event, f.attname) for f in event._meta.concrete_fields}


def test_what_is_inserted_is_read_as_it_was(ada: Person) -> None:
    rows = [
        logged(ada, 1, device='Ada\'s "phone" %s \\ {} \u2603', data={"late_ms": 3, "of": [None]}),
        logged(ada, 2**40, data={}),
    ]
    keys = bulk.insert(SessionEvent, rows)
    assert keys == sorted(keys)
    for key, row in zip(keys, rows, strict=True):
        assert columns(SessionEvent.objects.get(pk=key)) == columns(row) | {"id": key}


def test_an_update_writes_the_fields_that_it_names_of_its_own_rows(ada: Person) -> None:
    rows = [logged(ada, number) for number in (1, 2, 3)]
    SessionEvent.objects.bulk_create(rows)
    for row in rows[:2]:
        row.device, row.kind = f"{row.revision}", "deleted"
    bulk.update(SessionEvent, rows[:2], ["device"])
    kept = SessionEvent.objects.order_by("revision").values_list("device", "kind")
    assert list(kept) == [("1", "edited"), ("2", "edited"), ("", "edited")]


def test_nothing_is_no_statement(ada: Person, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert bulk.insert(SessionEvent, []) == []
        bulk.update(SessionEvent, [], ["device"])
