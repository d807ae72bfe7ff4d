"""Sessions and the sky, as support sees them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from sessions_app import services
from sessions_app.models import Space
from tests.support.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(patient: None) -> Client:
    """A browser of staff."""
    sam = User.objects.create_user("sam", "sam@example.com", "x", is_staff=True)
    web = Client()
    web.force_login(sam)
    return web


def test_a_session_is_shown_with_its_tasks_and_its_log(ada: Person, web: Client) -> None:
    session = ada.has_running("Write <b>", image=None)
    services.add_task(session.id, by=ada.actor, title="<i>Outline", duration=5)
    services.pause(session.id, by=ada.actor)
    page = web.get(f"/admin/sessions_app/session/{session.id}/change/").content.decode()
    assert "Write &lt;b&gt;" in page
    assert "&lt;i&gt;Outline" in page
    log = page[page.index("<th>kind</th>") :]
    kinds = re.findall(r"<td>(created|started|tasks_edited|paused)</td>", log)
    assert kinds == ["paused", "tasks_edited", "started", "created"]
    assert "<b>" not in page
    assert "<input" not in page[page.index("id_title") if "id_title" in page else len(page) :]


def test_the_log_is_cut(ada: Person, web: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr("sessions_app.admin.NEWEST", 2)
    session = ada.has_running()
    services.pause(session.id, by=ada.actor)
    page = web.get(f"/admin/sessions_app/session/{session.id}/change/").content.decode()
    assert "<td>paused</td>" in page
    assert "<td>created</td>" not in page


def test_a_star_is_shown(ada: Person, web: Client) -> None:
    session = ada.has_running()
    services.finish(session.id, by=ada.actor)
    space = Space.objects.get()
    assert web.get(f"/admin/sessions_app/space/{space.pk}/change/").status_code == 200
    assert "ada" in web.get("/admin/sessions_app/space/").content.decode()


def test_a_page_of_a_session_asks_few_questions_however_much_happened(
    ada: Person, web: Client
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            path = f"/admin/sessions_app/session/{session.id}/change/"
            assert web.get(path).status_code == 200
        return len(queries)

    session = ada.has_running(duration=60)
    services.add_task(session.id, by=ada.actor, title="One", duration=5)
    asked()  # Django remembers its content types
    few = asked()
    for number in range(8):
        services.add_task(session.id, by=ada.actor, title=f"Task {number}", duration=5)
    assert asked() == few


def test_the_admin_finds_sessions_by_their_user(ada: Person, eve: Person, web: Client) -> None:
    ada.has_session("Of Ada")
    hers = eve.has_session("Of Eve")
    for term in ("ada", "ADA@example.com"):
        page = web.get("/admin/sessions_app/session/", {"q": term}).content.decode()
        assert "Of Ada" in page
        assert "Of Eve" not in page
    page = web.get("/admin/sessions_app/session/", {"q": str(hers.id)}).content.decode()
    assert "Of Eve" in page
    page = web.get("/admin/sessions_app/session/?status__exact=running").content.decode()
    assert "Of Eve" not in page
