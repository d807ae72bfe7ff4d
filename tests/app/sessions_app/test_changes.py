"""What a device missed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from runtime.database.clock import clock_time
from sessions_app import changes, services
from sessions_app.epoch import begin_new_epoch, current_epoch
from sessions_app.exceptions import NotFound
from tests.support.people import Person, data_url, picture


def missed(person: Person, since: Any, **more: str) -> Any:
    query = "&".join(f"{name}={value}" for name, value in {"since": since, **more}.items())
    response = person.get(f"/changes/?{query}")
    assert response.status_code == 200, response.content
    return response.json()


def test_later_changes_are_returned_oldest_first(ada: Person) -> None:
    session = ada.has_running()
    services.pause(session.id, by=ada.actor)
    answer = missed(ada, 0)
    assert (answer["revision"], answer["reset"]) == (3, False)
    assert [c["kind"] for c in answer["changes"]] == ["created", "started", "paused"]
    assert [c["revision"] for c in answer["changes"]] == [1, 2, 3]
    assert [c["version"] for c in answer["changes"]] == [1, 2, 3]
    assert {c["device"] for c in answer["changes"]} == {"Laptop"}
    assert [c["kind"] for c in missed(ada, 2)["changes"]] == ["paused"]
    assert missed(ada, 3)["changes"] == []


def test_the_newest_change_of_a_session_carries_it_whole(ada: Person) -> None:
    session = ada.has_running()
    services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
    *older, newest = missed(ada, 0)["changes"]
    assert [change["state"] for change in older] == [None, None]
    state, shown = newest["state"], ada.sees(session.id)
    for moving in ("remaining_ms", "focused_ms", "server_time"):
        state["timer"].pop(moving)
        shown["timer"].pop(moving)
    assert state == shown


def test_a_change_between_reading_the_log_and_the_states_is_returned_too(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ada.has_running()

    def meanwhile() -> datetime:  # asked for between the two
        monkeypatch.undo()
        services.pause(session.id, by=ada.actor)
        return clock_time()

    monkeypatch.setattr(changes, "clock_time", meanwhile)
    answer = missed(ada, 0)
    assert answer["revision"] == 3
    assert [change["version"] for change in answer["changes"]] == [1, 2, 3]
    assert answer["changes"][-1]["state"]["timer"]["version"] == 3


def test_an_end_carries_the_body_that_it_became(ada: Person) -> None:
    session = services.finish(ada.has_running().id, by=ada.actor)
    end = missed(ada, 2)["changes"][-1]
    assert end["kind"] == "finished"
    assert end["space"] == ada.get(f"/sessions/{session.id}/spaces/").json()[0]


def test_the_change_of_a_deleted_session_has_no_state(ada: Person) -> None:
    session = ada.has_session()
    services.delete(session.id, by=ada.actor)
    answer = missed(ada, 0)["changes"]
    assert [(c["kind"], c["state"]) for c in answer] == [("created", None), ("deleted", None)]
    assert {c["session"] for c in answer} == {session.id}


def test_another_users_changes_are_not_returned(ada: Person, eve: Person) -> None:
    eve.has_running()
    assert missed(ada, 0) == {
        "epoch": current_epoch(),
        "revision": 0,
        "reset": False,
        "changes": [],
    }


def test_a_gap_up_to_a_limit_is_returned_and_a_larger_one_resets(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert changes.MAX_CHANGES == 200
    monkeypatch.setattr(changes, "MAX_CHANGES", 20)
    session = ada.has_session()
    for number in range(20):
        services.edit(session.id, {"title": f"Title {number}"}, by=ada.actor)
    answer = missed(ada, 1)
    assert (answer["reset"], len(answer["changes"])) == (False, 20)
    reset = missed(ada, 0)
    assert (reset["reset"], reset["changes"], reset["revision"]) == (True, [], 21)


def test_changes_of_sessions_with_too_many_tasks_reset(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred sessions of two hundred tasks would be twenty megabytes in one frame."""
    monkeypatch.setattr(changes, "MAX_TASKS", 3)
    session = ada.has_session()
    for _ in range(3):
        services.add_task(session.id, by=ada.actor, title="Draft", duration=1)
    assert (missed(ada, 0)["reset"], len(missed(ada, 0)["changes"])) == (False, 4)
    services.add_task(session.id, by=ada.actor, title="Draft", duration=1)
    reset = missed(ada, 4)
    assert (reset["reset"], reset["changes"], reset["revision"]) == (True, [], 5)


def test_a_revision_from_the_future_resets(ada: Person) -> None:
    """The database was set back, and the device has seen what is no more."""
    ada.has_session()
    assert missed(ada, 2)["reset"] is True


def test_another_epoch_resets(ada: Person) -> None:
    ada.has_session()
    here = missed(ada, 0)["epoch"]
    assert missed(ada, 0, epoch=here)["reset"] is False
    assert missed(ada, 0, epoch=str(uuid4()))["reset"] is True
    assert missed(ada, 0, epoch="")["reset"] is False, "as without it"


def test_the_epoch_stays_until_a_new_one_begins(ada: Person) -> None:
    before = missed(ada, 0)["epoch"]
    assert missed(ada, 0)["epoch"] == before
    begin_new_epoch()
    after = missed(ada, 0, epoch=before)
    assert after["reset"] is True
    assert after["epoch"] != before


def test_a_device_that_has_seen_nothing_loads_its_lists(ada: Person) -> None:
    assert changes.missed(ada.user_id, since=None).reset is True


def test_a_user_who_is_gone_has_missed_nothing(ada: Person) -> None:
    ada.user.delete()
    with pytest.raises(NotFound):
        changes.missed(ada.user_id, since=0)


def test_a_picture_has_an_absolute_url_here_too(ada: Person) -> None:
    ada.post("/sessions/", {"title": "W", "duration": 5, "image": data_url(picture())})
    state = missed(ada, 0)["changes"][-1]["state"]
    assert state["image"].startswith("http://testserver/media/")
    services.start(state["id"], by=ada.actor)
    services.finish(state["id"], by=ada.actor)
    assert missed(ada, 2)["changes"][-1]["space"]["image"].startswith("http://testserver/static/")


def test_the_tasks_of_a_state_are_those_of_its_version(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks are read after the session. A task that is added in between causes a second read."""
    session = ada.has_running()
    read = changes.Task.objects.filter
    calls = []

    def meanwhile(**given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
        return read(**given)

    monkeypatch.setattr(changes.Task.objects, "filter", meanwhile)
    state = changes.active_sessions([ada.actor.user_id])[ada.actor.user_id]
    assert [task.title for task in state.tasks] == ["Outline"]
    assert state.timer.version == 3
