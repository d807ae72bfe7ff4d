"""`manage.py demo`: every row is one that the product could have made; refusals leave nothing."""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Model, QuerySet
from rest_framework.test import APIClient

from accounts.models import Login, User
from sessions_app import ledger, services
from sessions_app.demo import account
from sessions_app.demo.plan import plan
from sessions_app.demo.write import KINDS, Written
from sessions_app.ledger import Actor
from sessions_app.models import Session, SessionEvent, Space, Task
from sessions_app.timekeeper import sweep
from tests.support.people import Person, signed_up

UNTIL = datetime(2026, 3, 22, 17, 30, 0, 123_000, tzinfo=UTC)
LINKS: dict[str, type[Model]] = {"task": Task, "space": Space}
pytestmark = pytest.mark.usefixtures("patient")


def demo(*arguments: str) -> str:
    out = StringIO()
    call_command("demo", "--months=1", *arguments, stdout=out)
    return out.getvalue()


def client(name: str, password: str) -> APIClient:
    api = APIClient()
    tokens = api.post("/users/login/", {"username": name, "password": password}, format="json")
    assert tokens.status_code == 200, tokens.content
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.json()['access']}")
    return api


def test_the_services_would_have_left_the_same_rows(monkeypatch: pytest.MonkeyPatch):
    """The same plan, once in bulk and once by the services at the plan's instants: no difference.

    All columns are compared, so one that is new cannot be forgotten.
    """
    year = plan(4, until=UNTIL, zone=ZoneInfo("UTC"), months=1)
    bulk, ada = signed_up("bulk"), signed_up("ada")
    by_services(year, ada, monkeypatch)  # first: the sweep would end the other's running one
    Written(year, bulk.user).save()
    assert rows(bulk) == rows(ada)
    kinds = {row.kind for row in SessionEvent.objects.filter(user=ada.user_id)}
    assert kinds == set(KINDS.values())


def by_services(year: Any, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_revision = ledger._raise_revision
    ids: list[int] = []
    tasks: dict[tuple[int, int], int] = {}
    for number, step in year.steps():
        planned, by = year.sessions[number], Actor(ada.user_id, step.device)
        monkeypatch.setattr(
            ledger, "_raise_revision", lambda user, at=step.at: (raise_revision(user)[0], at, None)
        )
        monkeypatch.setattr(sweep, "clock_time", lambda at=step.at: at)
        monkeypatch.setattr(random, "getrandbits", lambda _, seed=planned.sky_seed: seed)
        match step.action:
            case "create":
                made = services.create(
                    by=by,
                    title=planned.title,
                    duration=planned.minutes,
                    reminders=planned.reminders,
                )
                ids.append(made.id)
            case "add_task":
                title, minutes = planned.tasks[step.number]
                added = services.add_task(ids[number], by=by, title=title, duration=minutes)
                tasks[number, step.number] = added.id
            case "do_task":
                services.edit_task(ids[number], tasks[number, step.number], {"done": True}, by=by)
            case "extend":
                services.extend(ids[number], step.number, by=by)
            case "complete":
                assert sweep.finish_due() == 1
            case action:
                getattr(services, action)(ids[number], by=by)


def rows(person: Person) -> dict[str, list[Any]]:
    """All rows of this person, with places in place of ids."""
    events = list(SessionEvent.objects.filter(user=person.user_id).order_by("revision"))
    mine: dict[type[Model], QuerySet[Any]] = {
        Session: Session.objects.filter(user=person.user_id).order_by("pk"),
        Task: Task.objects.filter(session__user=person.user_id).order_by("pk"),
        Space: Space.objects.filter(user=person.user_id).order_by("pk"),
    }
    places = {
        (model, row.pk): place for model, own in mine.items() for place, row in enumerate(own)
    }
    found = {model.__name__: [plain(row, places) for row in own] for model, own in mine.items()}
    found["events"] = [plain(row, places) for row in events]
    return found | {"revision": [person.revision]}


def plain(row: Model, places: dict[tuple[type[Model], int], int]) -> dict[str, Any]:
    columns = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    del columns["id"]
    columns.pop("user_id", None)
    if "session_id" in columns:
        columns["session_id"] = places[Session, columns["session_id"]]
    if "data" in columns:
        columns["data"] = {
            name: places[LINKS[name], value] if name in LINKS else value
            for name, value in columns["data"].items()
        }
    return columns


def test_the_printed_password_signs_in_to_a_running_session_and_ready_ones():
    printed = [demo(), demo("--user=lin", "--time-zone=Asia/Kolkata")]
    made = [re.findall(r"password +(\S+)", out)[0] for out in printed]
    assert made[0] != made[1]
    lin = User.objects.get(username="lin")
    tasks = Task.objects.filter(session__user=lin).count()
    assert f"{lin.sessions.count()} sessions with {tasks} tasks" in printed[1]

    api = client("lin", made[1])
    sessions = api.get("/sessions/").json()
    status_of = {session["id"]: session["timer"]["status"] for session in sessions}
    assert Counter(status_of.values()) | {"running": 1, "ready": 3} == Counter(status_of.values())
    (running,) = (pk for pk, status in status_of.items() if status == "running")
    assert api.post(f"/sessions/{running}/finish/").status_code == 200
    assert Space.objects.filter(session=running).exists()

    assert lin.date_joined < lin.sessions.earliest("created_at").created_at
    assert lin.time_zone == "Asia/Kolkata"
    logins = dict(Login.objects.filter(user=lin).values_list("device", "first_seen"))
    assert logins["Laptop"] == lin.date_joined < logins["Phone"]


def test_no_running_leaves_no_session_active():
    demo("--no-running")
    assert not Session.objects.active().exists()


def test_again_replaces_the_account_of_demo_and_no_other(ada: Person):
    ada.has_session()
    demo()
    before = User.objects.get(username="demo").pk
    with pytest.raises(CommandError, match=r"demo exists\. With --again it is deleted"):
        demo()
    with pytest.raises(CommandError, match="too short"):
        demo("--again", "--password=short")
    assert User.objects.get(username="demo").pk == before  # a refusal has deleted nothing
    demo("--again", "--user=Demo")
    assert User.objects.exclude(pk=ada.user_id).get().pk != before
    users = set(SessionEvent.objects.values_list("user", flat=True))
    assert users == {ada.user_id, User.objects.get(username="Demo").pk}


def test_an_account_that_demo_has_not_made_is_left_alone(ada: Person):
    ada.patch("/users/me/", {"groups": [1]})
    assert not account.is_ours(ada.user)
    for arguments in (["--user=ada"], ["--user=ADA", "--again"]):
        with pytest.raises(CommandError, match="a user ada whom demo has not made"):
            demo(*arguments)
    assert User.objects.get() == ada.user


def test_production_needs_a_confirmation(settings: Any):
    settings.DEVELOPMENT = False
    with pytest.raises(CommandError, match="--yes-in-production"):
        demo()
    assert not User.objects.exists()
    assert "sessions" in demo("--yes-in-production")


@pytest.mark.parametrize(
    "wrong", ["--months=0", "--months=99", "--months=x", "--time-zone=Mars", "--user=a b"]
)
def test_a_malformed_option_is_refused(wrong: str):
    with pytest.raises(CommandError):
        demo(wrong)
    assert not User.objects.exists()
