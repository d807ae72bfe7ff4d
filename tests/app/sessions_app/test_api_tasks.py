"""Tasks over REST."""

from __future__ import annotations

from typing import Any

import pytest

from sessions_app import services
from sessions_app.events import SessionState
from sessions_app.models import Session, Task
from tests.app.sessions_app.conftest import Listen
from tests.support.people import Person

TASK = {"id", "title", "duration", "session", "created_at", "done"}


@pytest.fixture
def session(ada: Person) -> SessionState:
    return ada.has_session(duration=25)


def tasks_of(session: SessionState) -> str:
    return f"/sessions/{session.id}/tasks/"


def add(person: Person, to: SessionState, **more: Any) -> Any:
    response = person.post(tasks_of(to), {"title": "Outline", "duration": 5} | more)
    assert response.status_code == 201, response.content
    return response.json()


def test_a_new_task_is_not_done(ada: Person, session: SessionState) -> None:
    task = add(ada, session)
    assert task.keys() == TASK
    assert (task["title"], task["duration"], task["done"]) == ("Outline", 5, False)
    assert task["session"] == session.id
    assert task["created_at"].endswith("Z")


def test_tasks_come_in_a_plain_array_in_the_order_of_their_making(
    ada: Person, session: SessionState
) -> None:
    assert ada.get(tasks_of(session)).json() == []
    tasks = [add(ada, session, title=f"Task {n}") for n in range(3)]
    assert ada.get(tasks_of(session)).json() == tasks
    assert ada.sees(session.id)["tasks"] == tasks


def test_one_task_is_shown_as_it_was_answered(ada: Person, session: SessionState) -> None:
    task = add(ada, session)
    assert ada.get(f"{tasks_of(session)}{task['id']}/").json() == task


@pytest.mark.parametrize("verb", ["put", "patch"])
@pytest.mark.parametrize(("part", "value"), [("title", "Draft"), ("duration", 7), ("done", True)])
def test_a_part_is_enough(
    ada: Person, session: SessionState, verb: str, part: str, value: Any
) -> None:
    task = add(ada, session)
    response = getattr(ada, verb)(f"{tasks_of(session)}{task['id']}/", {part: value})
    assert (response.status_code, response.json()) == (200, task | {part: value})


def test_a_deleted_task_is_gone(ada: Person, session: SessionState) -> None:
    path = f"{tasks_of(session)}{add(ada, session)['id']}/"
    response = ada.delete(path)
    assert (response.status_code, response.json()) == (200, {"message": "Task deleted"})
    assert ada.get(path).status_code == ada.delete(path).status_code == 404
    assert Session.objects.get().task_minutes == 0


def test_each_change_of_a_task_raises_the_version_of_its_session(
    ada: Person, session: SessionState, announced: Listen
) -> None:
    with announced() as heard:
        task = add(ada, session)
        path = f"{tasks_of(session)}{task['id']}/"
        edited = ada.put(path, {"done": True}).json()
        ada.delete(path)
    assert [(c.kind, c.version) for c in heard] == [("tasks_edited", v) for v in (2, 3, 4)]
    assert [c.task and c.task.as_json() for c in heard] == [task, edited, None]
    assert [c.task_deleted for c in heard] == [None, None, task["id"]]
    assert [len(c.state.tasks) for c in heard] == [1, 1, 0]
    assert ada.sees(session.id)["timer"]["version"] == 4


# -- the minutes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["new", "edited"])
def test_more_minutes_than_the_session_has_are_refused(
    ada: Person, session: SessionState, how: str
) -> None:
    task = add(ada, session, duration=20)
    before = ada.sees(session.id)
    if how == "new":
        response = ada.post(tasks_of(session), {"title": "Draft", "duration": 6})
    else:
        response = ada.put(f"{tasks_of(session)}{task['id']}/", {"duration": 26})
    body = response.json()
    assert (response.status_code, body["code"]) == (422, "task_budget_exceeded")
    assert body["state"]["tasks"] == before["tasks"] == ada.sees(session.id)["tasks"]
    assert ada.sees(session.id)["timer"]["version"] == before["timer"]["version"]


def test_an_extension_makes_no_room(ada: Person) -> None:
    """The tasks are planned within the duration; an extension is of the countdown."""
    session = ada.has_running(duration=25)
    services.extend(session.id, 600, by=ada.actor)
    add(ada, session, duration=25)
    refused = ada.post(tasks_of(session), {"title": "Draft", "duration": 1})
    assert refused.status_code == 422


# -- where it belongs ----------------------------------------------------------------------------


def test_a_task_is_found_only_under_its_own_session(ada: Person, session: SessionState) -> None:
    task, other = add(ada, session), ada.has_session("Another")
    path = f"{tasks_of(other)}{task['id']}/"
    assert ada.get(path).status_code == 404
    assert ada.put(path, {"title": "Draft"}).status_code == 404
    assert ada.delete(path).status_code == 404
    assert Task.objects.get().title == "Outline"
