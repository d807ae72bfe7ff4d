"""Sessions over REST: shapes, statuses, editing, paging."""

from __future__ import annotations

from typing import Any

import pytest

from sessions_app import services
from sessions_app.models import Session, SessionEvent, Task
from tests.support.people import Person, data_url, picture

SESSION = {
    *("id", "title", "duration", "image", "sound", "created_at", "user", "tasks", "timer"),
    "reminders",
}
TIMER = {
    *("status", "version", "remaining_ms", "ends_at", "started_at", "ended_at", "focused_ms"),
    *("planned_ms", "server_time"),
}
BODY = {"title": "Write", "duration": 25}


def create(person: Person, **more: Any) -> Any:
    response = person.post("/sessions/", BODY | more)
    assert response.status_code == 201, response.content
    return response.json()


def url(session: Any) -> str:
    return f"/sessions/{session['id']}/"


# -- shapes --------------------------------------------------------------------------------------


def test_a_new_session_is_ready(ada: Person) -> None:
    response = ada.post("/sessions/", BODY | {"sound": "/sounds/rain.mp3"})
    session = response.json()
    assert response.status_code == 201
    assert session.keys() == SESSION
    assert session["timer"].keys() == TIMER
    assert (session["title"], session["duration"], session["sound"]) == (
        "Write",
        25,
        "/sounds/rain.mp3",
    )
    assert (session["image"], session["tasks"], session["user"]) == (None, [], ada.user_id)
    timer = session["timer"]
    assert (timer["status"], timer["version"]) == ("ready", 1)
    assert timer["remaining_ms"] == timer["planned_ms"] == 25 * 60_000
    assert timer["focused_ms"] == 0
    assert (timer["started_at"], timer["ends_at"], timer["ended_at"]) == (None, None, None)
    assert response["ETag"] == '"1"'


def test_times_are_iso_8601_with_a_zone(ada: Person) -> None:
    session = create(ada)
    for moment in (session["created_at"], session["timer"]["server_time"]):
        assert moment.endswith("Z")
        assert moment[10] == "T"


def test_a_session_is_shown_as_it_was_answered(ada: Person) -> None:
    session = create(ada)
    shown = ada.sees(session["id"])
    assert shown["timer"].pop("server_time") >= session["timer"].pop("server_time")
    assert shown == session


def test_the_list_is_a_plain_array_newest_first(ada: Person) -> None:
    assert ada.get("/sessions/").json() == []
    ids = [create(ada, title=f"Session {n}")["id"] for n in range(3)]
    listed = ada.get("/sessions/").json()
    assert [session["id"] for session in listed] == ids[::-1]
    assert all(session.keys() == SESSION for session in listed)


def test_the_list_carries_the_tasks(ada: Person) -> None:
    session = create(ada)
    services.add_task(session["id"], by=ada.actor, title="Outline", duration=5)
    (listed,) = ada.get("/sessions/").json()
    assert [task["title"] for task in listed["tasks"]] == ["Outline"]


def test_a_list_of_many_takes_no_more_queries_than_a_list_of_one(
    ada: Person, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        create(ada)
    with django_assert_max_num_queries(4):  # the login, the sessions, their tasks, and the clock
        ada.get("/sessions/")


# -- editing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["put", "patch"])
@pytest.mark.parametrize(
    ("part", "value"), [("title", "Read"), ("sound", ""), ("duration", 30), ("reminders", [60])]
)
def test_a_part_is_enough(ada: Person, verb: str, part: str, value: Any) -> None:
    session = create(ada, sound="rain.mp3")
    response = getattr(ada, verb)(url(session), {part: value})
    assert response.status_code == 200
    edited = response.json()
    assert edited[part] == value
    assert edited["timer"]["version"] == 2
    assert response["ETag"] == '"2"'
    untouched = {"title", "sound", "duration", "reminders", "user", "created_at"} - {part}
    assert {name: edited[name] for name in untouched} == {n: session[n] for n in untouched}


def test_a_new_duration_is_the_new_plan(ada: Person) -> None:
    session = create(ada)
    timer = ada.put(url(session), {"duration": 30}).json()["timer"]
    assert timer["planned_ms"] == timer["remaining_ms"] == 30 * 60_000


@pytest.mark.parametrize("status", ["running", "paused", "finished", "cancelled"])
def test_a_duration_is_fixed_once_started(ada: Person, status: str) -> None:
    session = ada.has_running()
    if status != "running":
        act = {"paused": services.pause, "finished": services.finish}.get(status, services.cancel)
        act(session.id, by=ada.actor)
    response = ada.put(f"/sessions/{session.id}/", {"duration": 30})
    assert (response.status_code, response.json()["code"]) == (409, "started")
    assert response.json()["state"]["timer"]["status"] == status
    assert ada.put(f"/sessions/{session.id}/", {"duration": 25, "title": "T"}).status_code == 200


def test_a_duration_is_not_cut_below_the_tasks(ada: Person) -> None:
    session = create(ada)
    services.add_task(session["id"], by=ada.actor, title="Outline", duration=20)
    response = ada.put(url(session), {"duration": 19})
    assert (response.status_code, response.json()["code"]) == (422, "task_budget_exceeded")
    assert ada.put(url(session), {"duration": 20}).status_code == 200


# -- repeating, deleting -------------------------------------------------------------------------


def test_a_repeat_is_a_new_ready_session_with_the_tasks_undone(ada: Person) -> None:
    session = ada.has_running(sound="rain.mp3", reminders=[60])
    services.add_task(session.id, by=ada.actor, title="Outline", duration=5, done=True)
    services.finish(session.id, by=ada.actor)
    response = ada.post(f"/sessions/{session.id}/repeat/")
    copy = response.json()
    assert response.status_code == 201
    assert copy["id"] != session.id
    assert (copy["title"], copy["duration"], copy["sound"], copy["reminders"]) == (
        *("Write", 25, "rain.mp3", [60]),
    )
    assert (copy["timer"]["status"], copy["timer"]["version"]) == ("ready", 1)
    (task,) = copy["tasks"]
    assert (task["title"], task["duration"], task["done"]) == ("Outline", 5, False)
    assert task["session"] == copy["id"]
    assert Session.objects.get(pk=copy["id"]).task_minutes == 5


def test_a_repeat_has_the_planned_duration_not_the_extended(ada: Person) -> None:
    session = ada.has_running()
    services.extend(session.id, 600, by=ada.actor)
    copy = ada.post(f"/sessions/{session.id}/repeat/").json()
    assert copy["timer"]["planned_ms"] == 25 * 60_000


def test_deleting_takes_tasks_and_body_along(ada: Person) -> None:
    session = ada.has_running()
    services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
    services.finish(session.id, by=ada.actor)
    response = ada.delete(f"/sessions/{session.id}/")
    assert (response.status_code, response.json()) == (200, {"success": True})
    assert ada.get("/spaces/").json() == []
    assert not Task.objects.exists()
    assert ada.delete(f"/sessions/{session.id}/").status_code == 404


def test_a_running_session_can_be_deleted_and_another_started(ada: Person) -> None:
    ada.delete(f"/sessions/{ada.has_running().id}/")
    ada.has_running()


# -- the log -------------------------------------------------------------------------------------


def test_the_log_of_a_session_comes_oldest_first(ada: Person) -> None:
    session = ada.has_running()
    services.extend(session.id, 60, by=ada.actor)
    services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
    ada.has_session("Another")
    services.finish(session.id, by=ada.actor)
    rows = ada.get(f"/sessions/{session.id}/events/").json()
    assert [row["kind"] for row in rows] == [
        *("created", "started", "extended", "tasks_edited", "finished"),
    ]
    assert [row["version"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["revision"] for row in rows] == [1, 2, 3, 4, 6]
    assert {row["device"] for row in rows} == {"Laptop"}
    assert rows[0].keys() == {"version", "revision", "kind", "at", "device", "data"}
    assert rows[2]["data"] == {"seconds": 60}
    assert all(row["at"].endswith("Z") for row in rows)


# -- paging --------------------------------------------------------------------------------------


def linked(response: Any) -> str | None:
    """The next page, by RFC 8288."""
    link = response.get("Link")
    if link is None:
        return None
    target, _, relation = link.partition("; ")
    assert relation == 'rel="next"'
    return str(target.strip("<>"))


def walked(person: Person, path: str) -> list[Any]:
    pages: list[Any] = []
    next_page: str | None = path
    while next_page:
        response = person.api.get(next_page)
        assert response.status_code == 200
        pages.append(response.json())
        next_page = linked(response)
    return pages


def _many_sessions(ada: Person) -> str:
    for n in range(5):
        ada.has_session(f"Session {n}")
    return "/sessions/"


def _many_tasks(ada: Person) -> str:
    session = ada.has_session()
    for n in range(5):
        services.add_task(session.id, by=ada.actor, title=f"Task {n}", duration=1)
    return f"/sessions/{session.id}/tasks/"


def _many_events(ada: Person) -> str:
    session = ada.has_session()
    for n in range(4):
        services.edit(session.id, {"title": f"Title {n}"}, by=ada.actor)
    return f"/sessions/{session.id}/events/"


def _many_spaces(ada: Person) -> str:
    for _ in range(5):
        services.finish(ada.has_running().id, by=ada.actor)
    return "/spaces/"


LISTS = [_many_sessions, _many_tasks, _many_events, _many_spaces]


@pytest.mark.parametrize("many", LISTS)
def test_a_list_comes_in_pages_if_asked_to(ada: Person, many: Any) -> None:
    path = many(ada)
    whole = _without_clock(ada.get(path).json())
    assert linked(ada.get(path)) is None
    pages = walked(ada, f"{path}?limit=2")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert _without_clock([row for page in pages for row in page]) == whole
    assert linked(ada.get(f"{path}?limit=5")) is None


def _without_clock(rows: list[Any]) -> list[Any]:
    for row in rows:
        row.get("timer", {}).pop("server_time", None)
    return rows


def test_new_sessions_do_not_shift_the_pages(ada: Person) -> None:
    path = _many_sessions(ada)
    first = ada.get(f"{path}?limit=2")
    ada.has_session("Meanwhile")
    second = ada.get(linked(first) or "")
    titles = [s["title"] for s in first.json() + second.json()]
    assert titles == ["Session 4", "Session 3", "Session 2", "Session 1"]


def test_a_list_of_sessions_can_be_of_some_statuses_only(ada: Person) -> None:
    path = _many_sessions(ada)
    for session in ada.get(path).json()[:2]:
        ada.post(f"/sessions/{session['id']}/start/", {"replace": True})
    by = {status: ada.get(f"{path}?status={status}").json() for status in ("ready", "running")}
    assert [s["title"] for s in by["running"]] == ["Session 3"]
    assert [s["title"] for s in by["ready"]] == ["Session 2", "Session 1", "Session 0"]
    both = ada.get(f"{path}?status=running,finished").json()
    assert [s["title"] for s in both] == ["Session 4", "Session 3"]


def test_the_next_page_keeps_the_statuses(ada: Person) -> None:
    path = _many_sessions(ada)
    newest = ada.get(path).json()[0]["id"]
    ada.post(f"/sessions/{newest}/start/", {})
    pages = walked(ada, f"{path}?status=ready&limit=3")
    assert [[s["title"] for s in page] for page in pages] == [
        ["Session 3", "Session 2", "Session 1"],
        ["Session 0"],
    ]


# -- order of the checks -------------------------------------------------------------------------


def test_malformed_comes_before_missing(ada: Person) -> None:
    assert ada.put("/sessions/999999/", {"duration": "x"}).status_code == 400
    assert ada.put("/sessions/999999/", {"title": "T"}, If_Match="x").status_code == 400


def test_missing_comes_before_stale(ada: Person) -> None:
    assert ada.put("/sessions/999999/", {"title": "T"}, If_Match='"1"').status_code == 404
    assert ada.delete("/sessions/999999/", If_Match='"1"').status_code == 404


def test_stale_comes_before_conflict(ada: Person) -> None:
    session = ada.has_running()
    path = f"/sessions/{session.id}/"
    assert ada.put(path, {"duration": 30}, If_Match='"1"').status_code == 412
    assert ada.put(path, {"duration": 30}, If_Match='"2"').status_code == 409


@pytest.mark.parametrize("verb", ["put", "patch", "delete"])
def test_a_stale_change_has_no_effect_and_shows_the_current_state(ada: Person, verb: str) -> None:
    session = create(ada)
    services.edit(session["id"], {"title": "Read"}, by=ada.actor)
    response = getattr(ada, verb)(url(session), {"title": "Rest"}, If_Match='"1"')
    body = response.json()
    assert (response.status_code, body["code"]) == (412, "stale_version")
    assert (body["session"], body["version"], body["state"]["title"]) == (session["id"], 2, "Read")
    assert response["ETag"] == '"2"'
    assert SessionEvent.objects.count() == 2


def test_a_conflict_shows_a_picture_by_an_absolute_url(ada: Person) -> None:
    session = create(ada, image=data_url(picture()))
    response = ada.put(url(session), {"title": "T"}, If_Match='"9"')
    assert response.json()["state"]["image"] == session["image"]


@pytest.mark.parametrize("seen", ['"1"', 'W/"1"', "*", ' "1" '])
def test_a_change_of_what_is_current_is_made(ada: Person, seen: str) -> None:
    assert ada.put(url(create(ada)), {"title": "Read"}, If_Match=seen).status_code == 200


@pytest.mark.parametrize("edits", [{}, {"title": "Write"}, {"duration": 25, "sound": ""}])
def test_an_edit_that_changes_nothing_is_no_change(ada: Person, edits: dict[str, Any]) -> None:
    session = ada.has_session("Write", 25)
    revision = ada.revision
    answer = ada.put(f"/sessions/{session.id}/", edits)
    assert (answer.status_code, answer.json()["timer"]["version"]) == (200, 1)
    assert ada.revision == revision
