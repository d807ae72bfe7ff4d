"""Requests at one moment, over REST, in real threads: each has an answer, and nothing breaks.

Of one kind of request each, and below the views: `tests/app/accounts/test_races.py` and
`tests/app/sessions_app/test_races.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections
from django.db.models import Sum
from rest_framework.test import APIClient

from accounts.auth.tokens import pair_of
from accounts.models import Login, User
from accounts.services import logins
from sessions_app.models import IdempotencyKey, Session, SessionEvent, Space, Task
from tests.support.people import PASSWORD, Person, at_once, signed_up

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 16  # of the twenty connections of the pool


@pytest.fixture(autouse=True)
def _room_for_all(transactional_db: None) -> Iterator[None]:
    """The threads need the connections of the pool, this one's too."""
    yield
    connections.close_all()


@pytest.fixture
def ada(transactional_db: None) -> Person:
    return signed_up("ada")


def all_at_once(*acts: Callable[[], Any], times: int = MANY) -> list[Any]:
    """The answers to these requests, again and again until there are so many."""
    answers = at_once(lambda number: acts[number % len(acts)](), times)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def exported(person: Person) -> Any:
    """The answer to that, read to its end as by a client."""
    answer = person.get("/users/me/export/")
    assert answer.getvalue()
    return answer


def statuses(answers: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def test_an_account_that_is_deleted_during_everything_leaves_nothing(ada: Person) -> None:
    session = ada.has_running()
    ready = ada.has_session()
    other = logins.log_in(ada.user)
    refresh = pair_of(other).refresh
    path = f"/sessions/{session.id}/"
    task = {"title": "T", "duration": 1}
    answers = all_at_once(
        lambda: ada.delete("/users/me/"),
        lambda: ada.post("/sessions/", {"title": "W", "duration": 5}, Idempotency_Key="k"),
        lambda: ada.post(f"{path}pause/"),
        lambda: ada.post(f"{path}tasks/", task),
        lambda: ada.post(f"{path}finish/", Idempotency_Key="f"),
        lambda: ada.post(f"/sessions/{ready.id}/start/", {"replace": True}),
        lambda: ada.post(f"/sessions/{ready.id}/repeat/"),
        lambda: ada.patch("/users/me/", {"reminders": [10], "username": "ada2"}),
        lambda: exported(ada),
        lambda: ada.get("/changes/?since=0"),
        lambda: ada.post("/users/logout-all/"),
        lambda: APIClient().post("/users/token/refresh/", {"refresh": refresh}, format="json"),
        lambda: APIClient().post("/users/login/", {"username": "ada", "password": PASSWORD}, format="json"),
        lambda: ada.post("/users/password/", {"old_password": PASSWORD, "new_password": "a walk at dusk"}),
        lambda: ada.delete(path),
        lambda: ada.delete("/users/me/"),
    )  # fmt: skip
    assert 204 in statuses(answers)
    assert max(statuses(answers)) < 500
    for model in (User, Login, Session, Task, Space, SessionEvent, IdempotencyKey):
        assert not model.objects.exists(), model  # type: ignore[attr-defined]


def test_of_many_changes_of_a_password_at_once_one_holds(ada: Person) -> None:
    passwords = [f"a long walk at dusk {number}" for number in range(MANY)]
    answers = at_once(
        lambda n: ada.post("/users/password/", {"old_password": PASSWORD, "new_password": passwords[n]}),
        MANY,
    )  # fmt: skip
    assert statuses(answers) == {200: 1, 400: MANY - 1}
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    assert ada.user.check_password(passwords[winner])
    losers = [answer.json() for answer in answers if answer.status_code == 400]
    assert {loser["code"] for loser in losers} == {"invalid"}
    assert all("old_password" in loser for loser in losers)


def test_of_many_requests_that_end_one_login_at_once_one_does(ada: Person) -> None:
    other = logins.log_in(ada.user).pk
    answers = all_at_once(lambda: ada.delete(f"/users/me/logins/{other}/"))
    assert statuses(answers) == {204: 1, 404: MANY - 1}
    assert Login.objects.get(pk=other).ended_at is not None


def test_many_devices_that_end_all_others_at_once_leave_at_most_one(ada: Person) -> None:
    devices = []
    for _ in range(MANY):
        device = APIClient()
        device.credentials(HTTP_AUTHORIZATION=f"Bearer {pair_of(logins.log_in(ada.user)).access}")
        devices.append(device)
    answers = at_once(lambda n: devices[n].post("/users/logout-all/"), MANY)
    assert statuses(answers).keys() <= {200, 401}
    # A login that has ended meanwhile may still end the others: it was good when it was looked at.
    assert Login.objects.filter(ended_at=None).count() <= 1
    ended = sum(answer.json()["ended"] for answer in answers if answer.status_code == 200)
    assert ended == Login.objects.exclude(ended_at=None).count()


def test_tasks_made_and_stretched_at_once_never_take_more_than_there_is(ada: Person) -> None:
    session = ada.has_session(duration=20)
    path = f"/sessions/{session.id}/"
    tasks = [
        ada.post(f"{path}tasks/", {"title": "T", "duration": 1}).json()["id"] for _ in range(4)
    ]
    answers = all_at_once(
        *(lambda pk=pk: ada.patch(f"{path}tasks/{pk}/", {"duration": 8}) for pk in tasks),  # type: ignore[misc]
        lambda: ada.post(f"{path}tasks/", {"title": "T", "duration": 7}),
        lambda: ada.post(f"{path}tasks/", {"title": "T", "duration": 9}),
        lambda: ada.patch(path, {"duration": 12}),
        lambda: ada.patch(path, {"duration": 30}),
    )
    assert statuses(answers).keys() <= {200, 201, 422}
    row = Session.objects.get()
    minutes = Task.objects.aggregate(sum=Sum("duration"))["sum"]
    assert row.task_minutes == minutes <= row.duration
    changed = sum(answer.status_code < 300 for answer in answers)
    assert row.version <= 1 + len(tasks) + changed  # an edit that changes nothing is none


def test_starts_that_replace_each_other_beside_all_else_leave_one_active(ada: Person) -> None:
    sessions = [ada.has_session().id for _ in range(4)]
    before = ada.revision
    commands = ("pause", "resume", "extend", "finish")
    answers = all_at_once(
        *(lambda pk=pk: ada.post(f"/sessions/{pk}/start/", {"replace": True}) for pk in sessions),  # type: ignore[misc]
        *(lambda pk=pk, a=a: ada.post(f"/sessions/{pk}/{a}/", {"seconds": 60}) for pk, a in zip(sessions, commands, strict=True)),  # type: ignore[misc]
    )  # fmt: skip
    assert statuses(answers).keys() <= {200, 409}
    assert Session.objects.active().count() <= 1  # type: ignore[attr-defined]
    revisions = list(SessionEvent.objects.order_by("revision").values_list("revision", flat=True))
    assert revisions == list(range(1, ada.revision + 1))
    assert ada.revision > before
    for pk in sessions:
        versions = SessionEvent.objects.filter(session_id=pk).order_by("version")
        assert list(versions.values_list("version", flat=True)) == list(
            range(1, versions.count() + 1)
        )


def test_one_key_for_different_things_at_once_happens_once(ada: Person) -> None:
    bodies = [{"title": f"W{number % 4}", "duration": 5} for number in range(MANY)]
    answers = at_once(lambda n: ada.post("/sessions/", bodies[n], Idempotency_Key="k"), MANY)
    assert statuses(answers).keys() <= {201, 409, 422}
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == Session.objects.count() == 1
    codes = {answer.json()["code"] for answer in answers if answer.status_code != 201}
    assert codes <= {"idempotency_in_progress", "idempotency_mismatch"}


def test_of_many_sign_ups_with_one_address_at_once_one_gets_it(transactional_db: None) -> None:
    def sign_up(number: int) -> Any:
        body = {"username": f"ada{number}", "email": "Ada@example.org", "password": PASSWORD}
        return APIClient().post("/users/signup/", body, format="json")

    answers = at_once(sign_up, MANY)
    assert statuses(answers) == {201: 1, 400: MANY - 1}
    assert all("email" in answer.json() for answer in answers if answer.status_code == 400)
    assert (User.objects.count(), Login.objects.count()) == (1, 1)


def test_each_of_many_deletions_at_once_has_an_answer(ada: Person) -> None:
    session = ada.has_running()
    task = ada.post(f"/sessions/{session.id}/tasks/", {"title": "T", "duration": 1}).json()["id"]
    answers = all_at_once(
        lambda: ada.delete(f"/sessions/{session.id}/tasks/{task}/"),
        lambda: ada.delete(f"/sessions/{session.id}/"),
        lambda: ada.patch(f"/sessions/{session.id}/tasks/{task}/", {"done": True}),
        lambda: ada.post(f"/sessions/{session.id}/cancel/"),
    )
    assert statuses(answers).keys() <= {200, 404, 409}
    assert not Session.objects.exists()
    assert SessionEvent.objects.filter(kind="deleted").count() == 1
