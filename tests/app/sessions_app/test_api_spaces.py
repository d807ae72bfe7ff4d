"""The sky over REST."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders

from sessions_app import services, sky
from sessions_app.models import Session, Space
from tests.support.people import Person, time_passes

SPACE = {
    *("id", "session", "type", "x", "y", "image", "created_at", "title", "focused_minutes"),
    *("radius", "hue", "seed", "month"),
}


def a_star(person: Person, minutes: int = 10) -> int:
    session = person.has_running(duration=60)
    time_passes(minutes * 60 + 1)
    services.finish(session.id, by=person.actor)
    return session.id


def test_a_finished_session_is_in_the_sky(ada: Person) -> None:
    session_id = a_star(ada)
    (space,) = ada.get("/spaces/").json()
    assert space.keys() == SPACE
    assert (space["session"], space["type"], space["title"]) == (session_id, "star", "Write")
    assert space["focused_minutes"] == 10
    assert 0 <= space["x"] <= 800
    assert 0 <= space["y"] <= 300
    assert space["created_at"] == ada.sees(session_id)["timer"]["ended_at"]
    assert space["month"] == space["created_at"][:7]


def test_the_sky_is_a_plain_array_oldest_first(ada: Person) -> None:
    assert ada.get("/spaces/").json() == []
    sessions = [a_star(ada) for _ in range(3)]
    assert [space["session"] for space in ada.get("/spaces/").json()] == sessions


def test_the_body_of_one_session_stands_alone(ada: Person) -> None:
    first, second = a_star(ada), a_star(ada)
    (space,) = ada.get(f"/sessions/{second}/spaces/").json()
    assert space in ada.get("/spaces/").json()
    assert space["session"] == second != first


def test_a_session_that_has_not_ended_has_an_empty_sky(ada: Person) -> None:
    session = ada.has_running()
    response = ada.get(f"/sessions/{session.id}/spaces/")
    assert (response.status_code, response.json()) == (200, [])


@pytest.mark.parametrize("type_", ["star", "planet"])
@pytest.mark.parametrize("look", range(sky.LOOKS))
def test_each_look_has_its_picture(ada: Person, type_: str, look: int) -> None:
    a_star(ada)
    Space.objects.update(type=type_, look=look)
    (space,) = ada.get("/spaces/").json()
    url = urlsplit(space["image"])
    assert (url.scheme, url.netloc) == ("http", "testserver")
    name = "/".join(Path(url.path).parts[-2:])
    assert finders.find(name), name


def test_the_picture_starts_with_the_public_url(ada: Person, settings: Any) -> None:
    settings.PUBLIC_URL = "https://space.example"
    a_star(ada)
    (space,) = ada.get("/spaces/").json()
    assert space["image"].startswith("https://space.example/static/")


def test_a_new_title_is_the_bodys_too(ada: Person) -> None:
    session_id = a_star(ada)
    ada.put(f"/sessions/{session_id}/", {"title": "Wrote"})
    (space,) = ada.get("/spaces/").json()
    assert space["title"] == Session.objects.get().title == "Wrote"
