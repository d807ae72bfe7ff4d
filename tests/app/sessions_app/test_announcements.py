"""The state in an answer of REST is the state that is announced."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from sessions_app import events, services
from sessions_app.events import SessionChanged, session_changed
from sessions_app.models import Session
from tests.app.sessions_app.conftest import Listen
from tests.support.people import Person, data_url, picture

PUBLIC_URL = "https://space.example"  # without it the picture's URL is made from the request


@pytest.fixture(autouse=True)
def _one_address(settings: Any) -> None:
    settings.PUBLIC_URL = PUBLIC_URL


@pytest.mark.parametrize(
    ("status", "verb", "path", "body", "cause"),
    [
        ("ready", "put", "", {"title": "Read"}, "edited"),
        ("ready", "patch", "", {"image": data_url(picture())}, "edited"),
        ("ready", "post", "start/", {}, "started"),
        ("running", "post", "pause/", {}, "paused"),
        ("running", "post", "extend/", {"seconds": 60}, "extended"),
        ("running", "post", "extend/", {"seconds": -86_400}, "finished"),
        ("running", "post", "finish/", {}, "finished"),
        ("running", "post", "cancel/", {}, "cancelled"),
        ("paused", "post", "resume/", {}, "resumed"),
        ("ready", "post", "repeat/", {}, "created"),
    ],
)
def test_the_answer_to_a_change_is_the_state_that_is_announced(
    ada: Person, announced: Listen, status: str, verb: str, path: str, body: Any, cause: str
) -> None:
    make = {"ready": ada.has_session, "running": ada.has_running, "paused": ada.has_paused}
    session = make[status]()
    services.add_task(session.id, by=ada.actor, title="Outline", duration=5)
    with announced() as heard:
        answer = getattr(ada, verb)(f"/sessions/{session.id}/{path}", body)
    (change,) = heard
    assert answer.json() == change.state.as_json()
    assert (change.kind, change.device, change.user_id) == (cause, "Laptop", ada.user_id)
    assert (change.session_id, change.version) == (change.state.id, change.state.timer.version)
    assert change.revision == ada.revision


def test_a_new_session_is_announced_as_it_is_answered(ada: Person, announced: Listen) -> None:
    with announced() as heard:
        body = {"title": "Write", "duration": 25, "image": data_url(picture())}
        answer = ada.post("/sessions/", body).json()
    assert [change.state.as_json() for change in heard] == [answer]
    assert answer["image"].startswith(f"{PUBLIC_URL}/media/")


def test_a_replacing_start_announces_both_in_order(ada: Person, announced: Listen) -> None:
    active, other = ada.has_running("One"), ada.has_session("Other")
    with announced() as heard:
        answer = ada.post(f"/sessions/{other.id}/start/", {"replace": True}).json()
    assert [(c.session_id, c.kind) for c in heard] == [
        (active.id, "finished"),
        (other.id, "started"),
    ]
    assert heard[0].revision + 1 == heard[1].revision
    assert heard[0].space is not None
    assert heard[1].state.as_json() == answer


@pytest.mark.parametrize("action", ["finish", "cancel"])
def test_an_end_is_announced_with_what_it_became(
    ada: Person, announced: Listen, action: str
) -> None:
    session = ada.has_running()
    with announced() as heard:
        ada.post(f"/sessions/{session.id}/{action}/")
    spaces = [change.space.as_json() for change in heard if change.space]
    assert spaces == ada.get("/spaces/").json()
    assert len(spaces) == (action == "finish")


def test_a_refused_change_is_not_announced(ada: Person, announced: Listen) -> None:
    session = ada.has_session()
    with announced() as heard:
        assert ada.post(f"/sessions/{session.id}/pause/").status_code == 409
    assert heard == []


@pytest.mark.django_db(transaction=True)
def test_a_change_is_announced_only_once_it_is_committed(eve: Person) -> None:
    session = eve.has_session()
    seen: list[str] = []

    def receive(change: SessionChanged, **_: Any) -> None:
        assert not connection.in_atomic_block
        seen.append(Session.objects.get(pk=change.session_id).status)

    session_changed.connect(receive)
    try:
        services.start(session.id, by=eve.actor)
    finally:
        session_changed.disconnect(receive)
    assert seen == ["running"]


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_fails_undoes_nothing(
    eve: Person, caplog: pytest.LogCaptureFixture
) -> None:
    session = eve.has_session()

    def fails(**_: Any) -> None:
        raise RuntimeError("Redis is away")

    session_changed.connect(fails)
    try:
        assert eve.post(f"/sessions/{session.id}/start/").status_code == 200
    finally:
        session_changed.disconnect(fails)
    assert Session.objects.get().status == "running"
    assert "Redis is away" in caplog.text


def test_a_state_survives_the_way_through_json(ada: Person) -> None:
    state = ada.has_running()
    assert events.SessionState.from_json(state.as_json()) == state
