"""The log is kept for some days; a device that has missed purged changes loads its lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from sessions_app import changes, services
from sessions_app.models import Session, SessionEvent
from sessions_app.timekeeper import retention
from sessions_app.timekeeper.retention import purge_old_events
from tests.support.people import Person


@pytest.fixture(autouse=True)
def _thirty_days(settings: Any) -> None:
    settings.HISTORY_KEPT_DAYS = 30


def grow_old(days: int, *, up_to: int) -> None:
    """The changes up to this revision happened so many days earlier."""
    old = SessionEvent.objects.filter(revision__lte=up_to)
    old.update(at=F("at") - timedelta(days=days))


def test_older_changes_are_purged_and_the_session_stays(ada: Person) -> None:
    session = ada.has_running()
    services.pause(session.id, by=ada.actor)
    grow_old(31, up_to=2)
    purge_old_events()
    assert [event.kind for event in SessionEvent.objects.all()] == ["paused"]
    assert Session.objects.get().status == "paused"
    services.resume(session.id, by=ada.actor)


def test_a_device_that_missed_purged_changes_is_reset(ada: Person) -> None:
    session = ada.has_running()
    services.pause(session.id, by=ada.actor)
    grow_old(31, up_to=2)
    purge_old_events()
    for since, reset, count in ((0, True, 0), (1, True, 0), (2, False, 1), (3, False, 0)):
        missed = changes.missed(ada.user_id, since=since)
        assert (missed.reset, len(missed.changes)) == (reset, count), since


@pytest.mark.parametrize(("kept_days", "age_days"), [(30, 29), (0, 3_000)])
def test_younger_changes_stay_and_zero_days_keeps_all(
    ada: Person, settings: Any, kept_days: int, age_days: int
) -> None:
    settings.HISTORY_KEPT_DAYS = kept_days
    ada.has_session()
    grow_old(age_days, up_to=1)
    purge_old_events()
    assert SessionEvent.objects.count() == 1


def test_old_changes_are_purged_batch_by_batch(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(3):
        ada.has_session()
    grow_old(31, up_to=3)
    assert not purge_old_events()
    assert SessionEvent.objects.count() == 1
    assert purge_old_events()
    assert SessionEvent.objects.count() == 0


def test_the_daily_limit_works_without_the_purged_changes(ada: Person, settings: Any) -> None:
    settings.LIMIT_CHANGES_PER_DAY = 2
    ada.has_session()
    ada.has_session()
    grow_old(31, up_to=2)
    purge_old_events()
    ada.has_session()
    ada.has_session()
    assert SessionEvent.objects.count() == 2
