"""The database's clock decides; and where it is set back, a session's own time stands still."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from runtime.database.clock import clock_time
from sessions_app import services
from sessions_app.models import Session, SessionEvent
from tests.support.people import Person, time_passes

AHEAD = timedelta(seconds=5)


def the_clock_was_set_back(session_id: int) -> Session:
    """The last change lies in the future."""
    session = Session.objects.get(pk=session_id)
    session.updated_at += AHEAD
    session.save(update_fields=["updated_at"])
    return session


def test_whole_milliseconds_are_counted(ada: Person) -> None:
    assert clock_time().microsecond % 1000 == 0
    for moment in (Session.objects.get(pk=ada.has_running().id).ends_at, clock_time()):
        assert moment is not None
        assert moment.microsecond % 1000 == 0


def test_a_session_is_not_shown_before_its_last_change(ada: Person) -> None:
    session = the_clock_was_set_back(ada.has_running().id)
    timer = session.state(clock_time()).timer
    assert timer.server_time == session.updated_at
    assert timer.remaining_ms + timer.focused_ms == timer.planned_ms


@pytest.mark.parametrize("change", [services.pause, services.finish, services.cancel])
def test_a_change_is_not_made_before_the_last_one(ada: Person, change: Any) -> None:
    session = the_clock_was_set_back(ada.has_running().id)
    assert change(session.pk, by=ada.actor).timer.server_time == session.updated_at
    assert SessionEvent.objects.latest("pk").at == session.updated_at


def test_a_change_is_made_when_it_is_made_not_when_its_transaction_began(ada: Person) -> None:
    """Else the wait for a lock would be eaten. (This whole test is one transaction.)"""
    session = ada.has_session()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.005), clock_timestamp(), now()")
        _, before, began = cursor.fetchone()
    started_at = services.start(session.id, by=ada.actor).timer.started_at
    assert started_at is not None
    assert began < before - timedelta(milliseconds=4) <= started_at <= clock_time()


@pytest.mark.parametrize("change", [services.pause, services.finish, services.cancel])
def test_a_session_remembers_when_it_last_changed(ada: Person, change: Any) -> None:
    session = ada.has_running()
    time_passes(60)
    change(session.id, by=ada.actor)
    assert Session.objects.get().updated_at == SessionEvent.objects.latest("pk").at
