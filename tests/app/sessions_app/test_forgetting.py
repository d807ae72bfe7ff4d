"""The log is kept for so many days, and who has missed what is gone loads the lists afresh."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from sessions_app import changes, services
from sessions_app.models import Session, SessionEvent
from sessions_app.timekeeper import retention
from sessions_app.timekeeper.retention import forget_old_history
from tests.support.people import Person

AT_ONCE = timedelta(0)
SOON = timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _first_time(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(retention, "_last_cleaning", None)
    settings.HISTORY_KEPT_DAYS = 30


def grow_old(days: int, *, up_to: int) -> None:
    """The changes up to this revision happened so many days earlier."""
    old = SessionEvent.objects.filter(revision__lte=up_to)
    old.update(at=F("at") - timedelta(days=days))


def test_what_is_older_is_gone_and_the_session_stays(ada: Person) -> None:
    session = ada.has_running()
    services.pause(session.id, by=ada.actor)
    grow_old(31, up_to=2)
    forget_old_history(every=SOON)
    assert [event.kind for event in SessionEvent.objects.all()] == ["paused"]
    assert Session.objects.get().status == "paused"
    services.resume(session.id, by=ada.actor)


def test_who_missed_what_is_gone_starts_over_and_who_did_not_is_told(ada: Person) -> None:
    session = ada.has_running()
    services.pause(session.id, by=ada.actor)
    grow_old(31, up_to=2)
    forget_old_history(every=SOON)
    for since, reset, told in ((0, True, 0), (1, True, 0), (2, False, 1), (3, False, 0)):
        missed = changes.missed(ada.user_id, since=since)
        assert (missed.reset, len(missed.changes)) == (reset, told), since


def test_what_is_younger_stays(ada: Person) -> None:
    ada.has_session()
    grow_old(29, up_to=1)
    forget_old_history(every=SOON)
    assert SessionEvent.objects.count() == 1


def test_it_is_kept_for_ever_where_that_is_wanted(ada: Person, settings: Any) -> None:
    settings.HISTORY_KEPT_DAYS = 0
    ada.has_session()
    grow_old(3_000, up_to=1)
    forget_old_history(every=AT_ONCE)
    assert SessionEvent.objects.count() == 1


def test_it_goes_in_slices_and_then_rests(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SLICE", 2)
    for _ in range(3):
        ada.has_session()
    grow_old(31, up_to=3)
    forget_old_history(every=SOON)
    assert SessionEvent.objects.count() == 1
    forget_old_history(every=SOON)  # at once, since there was more
    assert SessionEvent.objects.count() == 0
    ada.has_session()
    grow_old(31, up_to=4)
    forget_old_history(every=SOON)  # not again so soon
    assert SessionEvent.objects.count() == 1


def test_the_limit_of_a_day_does_not_need_what_is_older(ada: Person, settings: Any) -> None:
    settings.LIMIT_CHANGES_PER_DAY = 2
    ada.has_session()
    ada.has_session()
    grow_old(31, up_to=2)
    forget_old_history(every=SOON)
    ada.has_session()
    ada.has_session()
    assert SessionEvent.objects.count() == 2
