"""Another user's object answers exactly as a missing one, for everything that can be asked."""

from __future__ import annotations

from typing import Any

import pytest

from sessions_app import services
from sessions_app.models import Session, SessionEvent
from tests.support.people import Person

MISSING = 999_999
A_SESSION = {"title": "Read", "duration": 25}
A_TASK = {"title": "Draft", "duration": 1}
ACTIONS = ["start", "pause", "resume", "extend", "finish", "cancel", "repeat"]
SESSION_PATHS: list[tuple[str, str, Any]] = [
    ("get", "/sessions/{s}/", None),
    ("put", "/sessions/{s}/", A_SESSION),
    ("patch", "/sessions/{s}/", A_SESSION),
    ("delete", "/sessions/{s}/", None),
    ("get", "/sessions/{s}/events/", None),
    ("get", "/sessions/{s}/spaces/", None),
    ("get", "/sessions/{s}/tasks/", None),
    ("post", "/sessions/{s}/tasks/", A_TASK),
    ("get", "/sessions/{s}/tasks/{t}/", None),
    ("put", "/sessions/{s}/tasks/{t}/", A_TASK),
    ("patch", "/sessions/{s}/tasks/{t}/", A_TASK),
    ("delete", "/sessions/{s}/tasks/{t}/", None),
    *(("post", f"/sessions/{{s}}/{action}/", {"seconds": 60}) for action in ACTIONS),
]
LISTS = ["/sessions/", "/spaces/", "/changes/?since=0"]


@pytest.mark.parametrize(("verb", "path", "body"), SESSION_PATHS)
@pytest.mark.parametrize("headers", [{}, {"If_Match": '"1"'}, {"Idempotency_Key": "k"}])
def test_a_stranger_cannot_tell_that_a_session_exists(
    ada: Person, eve: Person, verb: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    session = ada.has_running()
    task = services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
    before = [Session.objects.values().get(), SessionEvent.objects.count(), eve.revision]
    answers = [
        getattr(eve, verb)(
            path.format(**ids),
            *([] if verb == "get" else [body]),
            **({} if verb == "get" else headers),
        )
        for ids in ({"s": session.id, "t": task.id}, {"s": MISSING, "t": MISSING})
    ]
    assert {answer.status_code for answer in answers} == {404}
    bodies = [answer.json() for answer in answers]
    assert all(b.pop("request_id") for b in bodies)
    assert bodies[0] == bodies[1]
    assert bodies[0]["code"] == "not_found"
    headers_seen = [sorted(a.headers.keys()) for a in answers]
    assert headers_seen[0] == headers_seen[1]
    assert [Session.objects.values().get(), SessionEvent.objects.count(), eve.revision] == before


def test_a_stranger_does_not_reach_a_task_through_a_session_of_their_own(
    ada: Person, eve: Person
) -> None:
    session, hers = ada.has_session(), eve.has_session()
    task = services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
    path = f"/sessions/{hers.id}/tasks/{task.id}/"
    for answer in (eve.get(path), eve.put(path, A_TASK), eve.delete(path)):
        assert answer.status_code == 404


@pytest.mark.parametrize("path", LISTS)
def test_a_strangers_things_are_in_no_list(ada: Person, eve: Person, path: str) -> None:
    services.finish(ada.has_running().id, by=ada.actor)
    answer = eve.get(path).json()
    assert (answer["changes"] if isinstance(answer, dict) else answer) == []


def test_a_cursor_of_a_stranger_shows_nothing_of_theirs(ada: Person, eve: Person) -> None:
    theirs = [ada.has_session().id for _ in range(3)]
    assert eve.get(f"/sessions/?limit=2&cursor={max(theirs) + 1}").json() == []


@pytest.mark.parametrize("path", [*LISTS, *(path for _, path, _ in SESSION_PATHS)])
def test_nothing_is_there_without_a_login(ada: Person, path: str) -> None:
    session = ada.has_session()
    for token in ("", "Bearer x", "Bearer ", "Basic x"):
        ada.api.credentials(HTTP_AUTHORIZATION=token)
        for verb in (ada.api.get, ada.api.post, ada.api.put, ada.api.delete):
            answer = verb(path.format(s=session.id, t=1))
            assert answer.status_code == 401
            assert answer["WWW-Authenticate"].startswith("Bearer")
            assert answer.json()["code"] in {"not_authenticated", "token_not_valid"}
