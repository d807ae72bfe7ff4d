"""The commands of the timer over REST."""

from __future__ import annotations

from typing import Any

import pytest

from sessions_app import services
from sessions_app.timekeeper import loop
from tests.support.people import Person, time_passes

MINUTE = 60_000
ALLOWED = {
    "ready": {"start"},
    "running": {"pause", "extend", "finish", "cancel"},
    "paused": {"resume", "extend", "finish", "cancel"},
    "completed": set(),
    "finished": set(),
    "cancelled": set(),
}
ACTIONS = ["start", "pause", "resume", "extend", "finish", "cancel"]
AFTER = {
    "start": "running",
    "pause": "paused",
    "resume": "running",
    "finish": "finished",
    "cancel": "cancelled",
}


def a_session(person: Person, status: str) -> int:
    if status == "ready":
        return person.has_session().id
    session_id = person.has_running().id
    if status == "paused":
        services.pause(session_id, by=person.actor)
    elif status == "finished":
        services.finish(session_id, by=person.actor)
    elif status == "cancelled":
        services.cancel(session_id, by=person.actor)
    elif status == "completed":
        time_passes(25 * 60 + 1)
        loop.finish_due()
    return session_id


def act(person: Person, session_id: int, action: str, body: Any = None, **headers: str) -> Any:
    if action == "extend" and body is None:
        body = {"seconds": 300}
    return person.post(f"/sessions/{session_id}/{action}/", body, **headers)


@pytest.mark.parametrize("status", ALLOWED)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_status_allows_its_own_commands_and_no_others(
    ada: Person, status: str, action: str
) -> None:
    session_id = a_session(ada, status)
    before = ada.sees(session_id)["timer"]
    response = act(ada, session_id, action)
    body = response.json()
    if action in ALLOWED[status]:
        assert response.status_code == 200
        assert body["timer"]["status"] == AFTER.get(action, status)
        assert body["timer"]["version"] == before["version"] + 1
        assert response["ETag"] == f'"{body["timer"]["version"]}"'
    else:
        assert (response.status_code, body["code"]) == (409, "illegal_transition")
        assert (body["session"], body["version"]) == (session_id, before["version"])
        assert body["state"]["timer"]["status"] == status


def test_the_answer_is_the_session_as_it_is_shown(ada: Person) -> None:
    session_id = a_session(ada, "ready")
    answer, shown = act(ada, session_id, "start").json(), ada.sees(session_id)
    for moving in ("remaining_ms", "focused_ms", "server_time"):
        del answer["timer"][moving], shown["timer"][moving]
    assert answer == shown


def test_a_pause_keeps_what_remains(ada: Person) -> None:
    session_id = a_session(ada, "running")
    time_passes(10 * 60)
    timer = act(ada, session_id, "pause").json()["timer"]
    assert 15 * MINUTE - 2_000 < timer["remaining_ms"] <= 15 * MINUTE
    assert timer["remaining_ms"] + timer["focused_ms"] == timer["planned_ms"]
    assert timer["ends_at"] is None
    time_passes(3600)
    assert ada.sees(session_id)["timer"]["remaining_ms"] == timer["remaining_ms"]
    resumed = act(ada, session_id, "resume").json()["timer"]
    assert resumed["remaining_ms"] == timer["remaining_ms"]
    assert resumed["focused_ms"] == timer["focused_ms"]


@pytest.mark.parametrize("status", ["running", "paused"])
def test_taking_away_more_than_remains_finishes(ada: Person, status: str) -> None:
    session_id = a_session(ada, status)
    timer = act(ada, session_id, "extend", {"seconds": -86_400}).json()["timer"]
    assert (timer["status"], timer["remaining_ms"]) == ("finished", 0)
    assert timer["planned_ms"] == 25 * MINUTE
    assert len(ada.get(f"/sessions/{session_id}/spaces/").json()) == 1


@pytest.mark.parametrize("raw", ["", "null", "{}"])
def test_a_command_needs_no_body(ada: Person, raw: str) -> None:
    session_id = a_session(ada, "ready")
    path = f"/sessions/{session_id}/start/"
    assert ada.api.post(path, raw, content_type="application/json").status_code == 200


def test_a_command_needs_no_content_type_without_a_body(ada: Person) -> None:
    session_id = a_session(ada, "ready")
    assert ada.api.generic("POST", f"/sessions/{session_id}/start/").status_code == 200


# -- one at a time -------------------------------------------------------------------------------


def test_a_second_start_names_the_session_that_is_active(ada: Person) -> None:
    active, other = a_session(ada, "paused"), a_session(ada, "ready")
    response = act(ada, other, "start")
    body = response.json()
    assert (response.status_code, body["code"]) == (409, "another_session_is_active")
    assert (body["session"], body["state"]["id"]) == (active, active)
    assert ada.sees(other)["timer"]["status"] == "ready"


@pytest.mark.parametrize("status", ["running", "paused"])
def test_a_start_may_replace_the_active_one(ada: Person, status: str) -> None:
    active, other = a_session(ada, status), a_session(ada, "ready")
    response = act(ada, other, "start", {"replace": True})
    assert (response.status_code, response.json()["timer"]["status"]) == (200, "running")
    assert ada.sees(active)["timer"]["status"] == "finished"
    assert [space["session"] for space in ada.get("/spaces/").json()] == [active]


def test_a_replacing_start_that_is_refused_finishes_nothing(ada: Person) -> None:
    ended, active = a_session(ada, "cancelled"), a_session(ada, "running")
    assert act(ada, ended, "start", {"replace": True}).status_code == 409
    assert ada.sees(active)["timer"]["status"] == "running"


# -- the version seen ----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["If-Match", "body"])
@pytest.mark.parametrize(("off_by", "status_code"), [(0, 200), (-1, 412), (1, 412)])
def test_a_command_counts_only_for_the_version_that_was_seen(
    ada: Person, where: str, off_by: int, status_code: int
) -> None:
    session_id = a_session(ada, "running")
    seen = 2 + off_by
    if where == "body":
        response = act(ada, session_id, "pause", {"version": seen})
    else:
        response = act(ada, session_id, "pause", If_Match=f'"{seen}"')
    assert response.status_code == status_code
    if status_code == 412:
        body = response.json()
        assert (body["code"], body["version"]) == ("stale_version", 2)
        assert body["state"]["timer"]["status"] == "running"
        assert ada.sees(session_id)["timer"]["version"] == 2


def test_the_checks_come_in_the_order_of_the_contract(ada: Person) -> None:
    session_id = a_session(ada, "running")
    malformed = {"seconds": "x", "version": 1}
    assert act(ada, 999_999, "extend", malformed).status_code == 400
    assert act(ada, session_id, "extend", malformed).status_code == 400
    assert act(ada, 999_999, "start", {"version": 1}).status_code == 404
    assert act(ada, session_id, "start", {"version": 1}).status_code == 412
    assert act(ada, session_id, "start", {"version": 2}).status_code == 409


# -- the deadline --------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["pause", "extend", "finish", "cancel"])
def test_from_the_deadline_on_the_end_wins(ada: Person, action: str) -> None:
    session_id = a_session(ada, "running")
    time_passes(25 * 60)
    response = act(ada, session_id, action)
    assert (response.status_code, response.json()["code"]) == (409, "already_due")
    timer = ada.sees(session_id)["timer"]
    assert (timer["status"], timer["remaining_ms"]) == ("running", 0)
    loop.finish_due()
    assert ada.sees(session_id)["timer"]["status"] == "completed"
