"""The crowd that is measured is one that the product could have left, and the audit sees."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections

from benchmarks import crowd, ends
from sessions_app.models import Session, SessionEvent, Space
from sessions_app.timekeeper import sweep
from tests.support.servers import environment


@pytest.fixture
def db(transactional_db: None) -> Iterator[psycopg.Connection]:
    with psycopg.connect(environment()["DATABASE_URL"], autocommit=True) as connection:
        yield connection
    connections.close_all()


def test_a_crowd_that_came_due_ends_whole(db: psycopg.Connection) -> None:
    crowd.runs_for_hours(db, 3)
    crowd.comes_due(db, 5, in_s=0)
    assert ends.un_ended(db) == 5
    assert sweep.finish_due() == 5
    assert set(ends.audit(db).values()) == {0}
    assert Space.objects.count() == 5 * (crowd.STARS + 1)
    assert Session.objects.filter(status="running").count() == 3


def test_the_audit_finds_what_is_wrong(db: psycopg.Connection) -> None:
    crowd.comes_due(db, 5, in_s=0)
    sweep.finish_due()
    one, two, three = SessionEvent.objects.filter(kind="completed")[:3]
    Space.objects.filter(session_id=one.session_id).delete()
    two.pk, two.version, two.revision = None, 9, 9
    two.save()
    three.at = three.at.replace(year=2020)
    three.save()
    found = ends.audit(db)
    assert (found["not_in_the_sky"], found["ended_twice"], found["early"]) == (1, 1, 1)
