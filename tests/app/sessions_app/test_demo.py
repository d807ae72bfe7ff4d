"""`manage.py demo`: every row is one that the product could have made; its doors are guarded."""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Model, Sum
from rest_framework.test import APIClient

from accounts.models import Login, User
from sessions_app import ledger, services
from sessions_app.countdown import Countdown, Status
from sessions_app.demo import account
from sessions_app.demo.plan import plan
from sessions_app.demo.write import Written
from sessions_app.events import Cause
from sessions_app.ledger import Actor
from sessions_app.models import Session, SessionEvent, Space, Task
from sessions_app.services import sky
from sessions_app.timekeeper import sweep
from tests.support.people import Person, signed_up

UNTIL = datetime(2026, 3, 22, 17, 30, 0, 123_000, tzinfo=UTC)
LINKS = {"task": Task, "space": Space, "repeats": Session}
PASSWORD = "a long walk at dusk"
pytestmark = pytest.mark.usefixtures("patient")


def demo(*arguments: str) -> str:
    out = StringIO()
    call_command("demo", f"--password={PASSWORD}", "--months=2", *arguments, stdout=out)
    return out.getvalue()


def client(name: str = "demo") -> APIClient:
    api = APIClient()
    tokens = api.post("/users/login/", {"username": name, "password": PASSWORD}, format="json")
    assert tokens.status_code == 200, tokens.content
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.json()['access']}")
    return api


# -- every row is one that the product could have made ---------------------------------------------


def test_the_log_of_each_session_gives_its_row():
    demo("--months=12")
    logs: dict[int, list[SessionEvent]] = defaultdict(list)
    for row in SessionEvent.objects.order_by("revision"):
        logs[row.session_id].append(row)
    sessions = Session.objects.prefetch_related("tasks")
    deleted = {number for number, log in logs.items() if log[-1].kind == "deleted"}
    assert {session.pk for session in sessions} == set(logs) - deleted
    assert deleted
    assert len(sessions) > 350
    for session in sessions:
        log = logs[session.pk]
        assert [row.version for row in log] == list(range(1, session.version + 1))
        assert (log[0].kind, log[0].at, log[-1].at) == (
            *("created", session.created_at),
            session.updated_at,
        )
        assert replayed(session, log) == session.countdown
        added = [row.data["task"] for row in log if row.data.get("what") == "added"]
        edited = [row.data["task"] for row in log if row.data.get("what") == "edited"]
        tasks = list(session.tasks.all())
        if "repeats" in log[0].data:
            added = [task.pk for task in tasks if task.created_at == session.created_at]
        assert [task.pk for task in tasks] == added
        assert {task.pk for task in tasks if task.done} == set(edited)
        assert session.task_minutes == sum(task.duration for task in tasks) <= session.duration


def replayed(session: Session, log: list[SessionEvent]) -> Countdown:
    countdown = Countdown(planned=timedelta(minutes=session.duration))
    for row in log:
        match row.kind:
            case "started":
                countdown = countdown.start(row.at)
            case "paused":
                countdown = countdown.pause(row.at)
            case "resumed":
                countdown = countdown.resume(row.at)
            case "extended":
                countdown = countdown.extend(timedelta(seconds=row.data["seconds"]), row.at)
            case "finished":
                countdown = countdown.finish(row.at)
                assert row.data["late_ms"] == 0
            case "cancelled":
                countdown = countdown.cancel(row.at)
            case "completed":
                countdown = countdown.complete(row.at)
                assert countdown.ended_at is not None
                late = timedelta(milliseconds=row.data["late_ms"])
                assert row.at == countdown.ended_at + late
                assert timedelta(0) < late < timedelta(seconds=1)
    return countdown


def test_each_session_that_was_kept_has_a_body_in_its_month():
    demo("--time-zone=Pacific/Auckland")
    kept = Session.objects.filter(status__in=["completed", "finished"])
    assert set(kept.values_list("pk", flat=True)) == set(
        Space.objects.values_list("session", flat=True)
    )
    named = {row.data["space"] for row in SessionEvent.objects.filter(data__has_key="space")}
    assert named == set(Space.objects.values_list("pk", flat=True))
    for space in Space.objects.select_related("session__user"):
        assert space.sky == sky.sky_of(space.session)
        assert space.created_at == space.session.ended_at
        assert (space.type == "star") == ((space.session.focused_ms or 0) <= 30 * 60_000)


def test_revisions_are_without_gaps_and_the_users_is_the_last():
    demo()
    revisions = list(SessionEvent.objects.order_by("revision").values_list("revision", flat=True))
    assert revisions == list(range(1, User.objects.get().revision + 1))
    moments = list(SessionEvent.objects.order_by("revision").values_list("at", flat=True))
    assert moments == sorted(moments)


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
    assert kinds == set(get_args(Cause))


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
                reminders = None if planned.reminders is None else list(planned.reminders)
                made = services.create(
                    by=by, title=planned.title, duration=planned.minutes, reminders=reminders
                )
                ids.append(made.id)
            case "repeat":
                made = services.repeat(ids[step.pattern], by=by)
                ids.append(made.id)
                tasks |= {(number, place): task.id for place, task in enumerate(made.tasks)}
            case "rename":
                services.edit(ids[number], {"title": step.title}, by=by)
            case "add_task":
                task = planned.tasks[step.task]
                added = services.add_task(
                    ids[number], by=by, title=task.title, duration=task.minutes
                )
                tasks[number, step.task] = added.id
            case "do_task":
                services.edit_task(ids[number], tasks[number, step.task], {"done": True}, by=by)
            case "extend":
                services.extend(ids[number], step.seconds, by=by)
            case "complete":
                assert sweep.finish_due() == 1
            case action:
                getattr(services, action)(ids[number], by=by)


def rows(person: Person) -> dict[str, list[Any]]:
    """All that is kept of this person's, with places in place of ids."""
    events = SessionEvent.objects.filter(user=person.user_id).order_by("revision")
    births = [row.session_id for row in events if row.kind == "created"]
    places: dict[tuple[type[Model], int], int] = {
        (Session, number): place for place, number in enumerate(births)
    }
    found: dict[str, list[Any]] = {}
    mine = {
        Session: Session.objects.filter(user=person.user_id),
        Task: Task.objects.filter(session__user=person.user_id),
        Space: Space.objects.filter(user=person.user_id),
    }
    for row in events:
        for name in ("task", "space"):
            if name in row.data:
                places.setdefault((LINKS[name], row.data[name]), row.revision)
    for model, own in mine.items():
        found[model.__name__] = [plain(row, places) for row in own.order_by("pk")]
    found["events"] = [plain(row, places) for row in events]
    found["revision"] = [person.revision]
    return found


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


def test_a_reminder_that_has_come_before_is_not_sent_again():
    demo()
    running = Session.objects.get(status="running")
    assert running.reminder_at is not None
    left = running.countdown.remaining_at(running.reminder_at)
    assert left == timedelta(minutes=30)


# -- the account over REST -------------------------------------------------------------------------


def test_lists_changes_and_export_of_the_account_agree():
    demo()
    api = client()
    sessions, spaces = api.get("/sessions/").json(), api.get("/spaces/").json()
    export = json.loads(api.get("/users/me/export/").getvalue())
    for session in export["sessions"]:
        del session["updated_at"]
    assert len(sessions) == Session.objects.count() > 30
    assert without_now(export["sessions"]) == without_now(reversed(sessions))
    assert export["spaces"] == spaces
    assert [row["revision"] for row in export["events"]] == list(
        range(1, export["profile"]["revision"] + 1)
    )
    newest = {session["id"]: without_now([session]) for session in sessions}
    since = export["profile"]["revision"] - 200
    missed = api.get(f"/changes/?since={since}").json()
    assert not missed["reset"]
    assert len(missed["changes"]) == 200
    for change in missed["changes"]:
        if change["state"]:
            assert without_now([change["state"]]) == newest[change["session"]]
    assert api.get("/changes/?since=0").json()["reset"]
    for path in ("events", "tasks", "spaces"):
        assert api.get(f"/sessions/{sessions[0]['id']}/{path}/").status_code == 200


def without_now(sessions: Any) -> list[Any]:
    """Without what moves on while it is read."""
    moving = ("server_time", "remaining_ms", "focused_ms")
    return [
        s | {"timer": {name: v for name, v in s["timer"].items() if name not in moving}}
        for s in sessions
    ]


def test_today_has_a_running_one_and_ready_ones_that_the_product_goes_on_with():
    demo()
    api = client()
    statuses = Counter(s["timer"]["status"] for s in api.get("/sessions/").json())
    assert statuses["running"] == 1
    assert statuses["ready"] == 3
    running = Session.objects.get(status="running").pk
    ready = Session.objects.filter(status="ready")[0].pk
    refused = api.post(f"/sessions/{ready}/start/")
    assert refused.json()["code"] == "another_session_is_active"
    assert api.post(f"/sessions/{running}/finish/").status_code == 200
    assert api.post(f"/sessions/{ready}/start/").status_code == 200
    assert Space.objects.filter(session=running).exists()


def test_without_a_running_one():
    demo("--no-running")
    assert not Session.objects.active().exists()
    assert Session.objects.filter(status=Status.READY).count() == 3


# -- the command -----------------------------------------------------------------------------------


def test_it_says_what_it_made_and_how_to_come_in():
    out = demo("--user=lin")
    total = Task.objects.count()
    assert f"{Session.objects.count()} sessions with {total} tasks" in out
    assert "lin" in out
    assert PASSWORD in out
    client("lin")
    assert (
        Task.objects.aggregate(all=Sum("duration"))["all"]
        == (Session.objects.aggregate(all=Sum("task_minutes"))["all"])
    )


def test_the_account_is_as_old_as_what_is_in_it():
    demo("--time-zone=Asia/Kolkata")
    user, first = User.objects.get(), Session.objects.earliest("created_at")
    assert user.date_joined < first.created_at
    assert user.time_zone == "Asia/Kolkata"
    logins = dict(Login.objects.values_list("device", "first_seen"))
    assert logins.keys() == {"Laptop", "Phone"}
    assert logins["Laptop"] == user.date_joined < logins["Phone"]


def test_a_password_is_made_at_random_and_lets_in():
    first, second = StringIO(), StringIO()
    call_command("demo", "--months=1", stdout=first)
    call_command("demo", "--months=1", "--user=lin", stdout=second)
    made = [re.findall(r"password +(\S+)", out.getvalue())[0] for out in (first, second)]
    assert made[0] != made[1]
    answer = APIClient().post(
        "/users/login/", {"username": "lin", "password": made[1]}, format="json"
    )
    assert answer.status_code == 200


def test_a_second_time_it_says_how_to_go_on():
    demo()
    with pytest.raises(CommandError, match=r"demo exists\. With --again it is deleted"):
        demo()


def test_again_deletes_what_it_made_and_nothing_else(ada: Person):
    ada.has_session()
    demo()
    before = User.objects.get(username="demo").pk
    demo("--again", "--user=Demo")
    assert User.objects.exclude(pk=ada.user_id).get().pk != before
    assert set(SessionEvent.objects.values_list("user", flat=True)) == {
        ada.user_id,
        User.objects.get(username="Demo").pk,
    }


def test_an_account_that_it_has_not_made_is_left_alone(ada: Person):
    for arguments in (["--user=ada"], ["--user=ADA", "--again"]):
        with pytest.raises(CommandError, match="a user ada whom demo has not made"):
            demo(*arguments)
    assert User.objects.get() == ada.user


def test_a_refusal_leaves_the_account_that_was_there():
    demo()
    with pytest.raises(CommandError, match="too short"):
        call_command("demo", "--again", "--password=short", stdout=StringIO())
    client()
    assert Session.objects.exists()


def test_no_one_can_make_an_account_that_looks_like_demos(ada: Person):
    ada.patch("/users/me/", {"groups": [1], "username": "demo", "email": "demo@example.org"})
    assert not account.is_ours(ada.user)


def test_in_production_it_asks_first(settings: Any):
    settings.DEVELOPMENT = False
    with pytest.raises(CommandError, match="--yes-in-production"):
        demo()
    assert not User.objects.exists()
    assert "sessions" in demo("--yes-in-production")


@pytest.mark.parametrize(
    "wrong", ["--months=0", "--months=99", "--months=x", "--time-zone=Mars", "--user=a b"]
)
def test_what_makes_no_sense_is_refused(wrong: str):
    with pytest.raises(CommandError):
        demo(wrong)
    assert not User.objects.exists()
