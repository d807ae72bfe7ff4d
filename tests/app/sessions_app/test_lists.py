"""Lists are read slice by slice, and come whole or by the page."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.api import paging
from sessions_app import services
from sessions_app.models import Session
from tests.support.people import Person


@pytest.fixture
def seven(ada: Person, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sessions, the newest first, that are read three at a time."""
    monkeypatch.setattr(paging, "LARGEST_PAGE", 3)
    return [ada.has_session(f"Session {n}").id for n in range(7)][::-1]


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()]


def test_without_a_limit_a_list_is_whole_however_many_slices_it_takes(
    ada: Person, seven: list[int]
) -> None:
    answer = ada.get("/sessions/")
    assert ids(answer) == seven
    assert "Link" not in answer
    assert ids(ada.get(f"/sessions/?cursor={seven[1]}")) == seven[2:]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_page_by_page_it_is_the_same_list(ada: Person, seven: list[int], size: int) -> None:
    found, target = [], f"/sessions/?limit={size}"
    while target:
        answer = ada.get(target)
        found += ids(answer)
        target = answer.get("Link", "").partition(">")[0].removeprefix("<http://testserver")
    assert found == seven


@pytest.mark.parametrize("count", [0, 3, 6])
def test_a_list_that_ends_with_a_slice_has_no_next_page(
    ada: Person, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(paging, "LARGEST_PAGE", 3)
    session = ada.has_session()
    for _ in range(count):
        ada.post(f"/sessions/{session.id}/tasks/", {"title": "t", "duration": 1})
    assert len(ids(ada.get(f"/sessions/{session.id}/tasks/"))) == count
    assert len(ada.get(f"/sessions/{session.id}/events/").json()) == count + 1


def test_a_session_is_read_with_its_tasks_in_one_statement(
    ada: Person, django_assert_num_queries: Any
) -> None:
    """Those of the next version may be there a moment later."""
    session = ada.has_session()
    for title in ("Outline", "Pages"):
        services.add_task(session.id, title=title, duration=2, by=ada.actor)
    with django_assert_num_queries(1):
        [read] = Session.objects.filter(pk=session.id).for_show()
        state = read.shown()
    assert [task.title for task in state.tasks] == ["Outline", "Pages"]
    assert state == Session.objects.get(pk=session.id).state(read.read_at)
