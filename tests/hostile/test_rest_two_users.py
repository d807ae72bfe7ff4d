"""Ada has one of everything. Eve knows every number of hers, and learns and changes nothing.

The routes come from Django's resolver: one that is not in `routes.py` fails `test_rest_paths.py`,
and one with an id of a new kind fails here. What Eve is answered for an id of Ada's must be, byte
for byte, what she is answered for one that never was (apart from the id and the request's id).
How long it takes is not compared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from django.core.files.base import ContentFile

from accounts.auth.tokens import pair_of
from accounts.models import Login, User
from accounts.services import logins
from sessions_app import services
from sessions_app.models import IdempotencyKey, Session, SessionEvent, Space, Task
from tests.hostile.routes import ALLOWED, OPEN, ids_of, path_of
from tests.support.api import Answer, Api, Headers
from tests.support.people import PASSWORD, Person, picture, signed_up

NEVER = {"session_id": 900_000_001, "task_id": 900_000_002, "login_id": 900_000_003}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
KEY = "a key of Ada's"


@dataclass
class Everything:
    """What Ada has, by the name that a route gives to its id."""

    person: Person
    ids: dict[str, list[int]] = field(default_factory=dict)
    key_of: int = 0  # the session that her idempotency key made
    picture: str = ""


@pytest.fixture
def hers(ada: Person) -> Everything:
    """Sessions in every status (one is active at a time: a friend has one that is paused), tasks,
    a star, logins, a key, a picture.
    """
    ended = [services.finish(ada.has_running().id, by=ada.actor)]
    ended.append(services.cancel(ada.has_running().id, by=ada.actor))
    deleted = ada.has_session()
    services.delete(deleted.id, by=ada.actor)
    image = ContentFile(picture("WEBP"), name="picture.webp")
    ready = ada.has_session(image=image, reminders=[30])
    keyed = ada.post("/sessions/", {"title": "Keyed", "duration": 5}, Idempotency_Key=KEY).json()
    sessions = [*(s.id for s in ended), ready.id, keyed["id"], ada.has_running().id]
    tasks = [services.add_task(pk, by=ada.actor, title="Outline", duration=1).id for pk in sessions]
    second = logins.log_in(ada.user, device="Phone")
    third = logins.log_in(ada.user, device="Old")
    logins.end_login(ada.user, third.pk)
    assert Space.objects.count() == 1
    paused = signed_up("bea").has_paused().id
    return Everything(
        ada,
        {
            "session_id": [*sessions, deleted.id, paused],
            "task_id": tasks,
            "login_id": [Login.objects.earliest("pk").pk, second.pk, third.pk],
        },
        keyed["id"],
        Session.objects.get(pk=ready.id).image.url,
    )


def all_of(person: Person) -> Any:
    """All rows of the person's, and their export, but for what the time does to it."""
    pk = person.user_id
    rows = [
        list(User.objects.filter(pk=pk).values()),
        list(Login.objects.filter(user=pk).order_by("pk").values()),
        list(Session.objects.filter(user=pk).order_by("pk").values()),
        list(Task.objects.filter(session__user=pk).order_by("pk").values()),
        list(Space.objects.filter(user=pk).order_by("pk").values()),
        list(SessionEvent.objects.filter(user_id=pk).order_by("revision").values()),
        list(IdempotencyKey.objects.filter(user_id=pk).order_by("pk").values()),
    ]
    return without([*rows, json.loads(person.get("/users/me/export/").getvalue())])


OF_TIME = {"exported_at", "last_seen", "server_time", "remaining_ms", "focused_ms", "request_id"}


def without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without(inner) for name, inner in value.items() if name not in OF_TIME}
    return [without(inner) for inner in value] if isinstance(value, list) else value


def seen(answer: Answer) -> tuple[int, dict[str, str], str]:
    """What an answer tells: all of it, but for the request's id. (No refusal names an id.)"""
    header = {name: value for name, value in answer.header.items() if name != "x-request-id"}
    return answer.status, header, answer.body.decode().replace(answer.header["x-request-id"], "")


ASKED: list[tuple[Any, Headers]] = [
    (None, {}),
    ({"title": "Mine", "duration": 5, "done": True, "sound": "", "image": None}, {}),
    ({"seconds": -86_400, "replace": True, "version": 1}, {}),
    ("wrong", {}),
    ({"seconds": 60, "title": "Mine", "duration": 5}, {"If-Match": '"1"'}),
    ({"seconds": 60, "title": "Mine", "duration": 5}, {"If-Match": '"99"'}),
    ({"seconds": 60, "title": "Mine", "duration": 5}, {"Idempotency-Key": KEY}),
]
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
WITH_IDS = [route for route in ALLOWED if ids_of(route)]


def test_every_id_that_a_route_takes_is_known_here() -> None:
    assert {name for route in WITH_IDS for name in ids_of(route)} == NEVER.keys()


@pytest.mark.parametrize("route", WITH_IDS)
def test_adas_data_answers_to_eve_as_data_that_never_existed(
    api: Api, hers: Everything, eve: Person, route: str
) -> None:
    before, eves = all_of(hers.person), all_of(eve)
    never = path_of(route, **NEVER)
    for method in METHODS:
        can = method in ALLOWED[route].split()
        for body, headers in ASKED if can and method in WRITES else ASKED[:1]:
            raw = b"" if body is None else json.dumps(body)
            expected = api.ask(method, never, raw, headers, by=eve)
            assert not can or expected.status in {400, 404}, expected
            for ids in each_of(route, hers):
                answer = api.ask(method, path_of(route, **ids), raw, headers, by=eve)
                assert seen(answer) == seen(expected), (method, ids, body, headers)
    assert all_of(hers.person) == before
    assert all_of(eve) == eves


def each_of(route: str, hers: Everything) -> list[dict[str, int]]:
    """Every id of Ada's for the route; a task with its own session, and with every other."""
    names = ids_of(route)
    if names == ["session_id", "task_id"]:
        pairs = zip(hers.ids["session_id"], hers.ids["task_id"], strict=False)
        first = hers.ids["task_id"][0]
        crossed = [(session, first) for session in hers.ids["session_id"]]
        return [{"session_id": s, "task_id": t} for s, t in {*pairs, *crossed}]
    (name,) = names
    return [{name: number} for number in hers.ids[name]]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_task_of_adas_is_in_no_session_of_eves(
    api: Api, hers: Everything, eve: Person, method: str
) -> None:
    mine = eve.has_session()
    own = services.add_task(mine.id, by=eve.actor, title="Own", duration=1)
    before = all_of(hers.person)
    body = json.dumps({"title": "Mine", "session": mine.id})
    for session, task, other in [
        *((mine.id, task, (mine.id, NEVER["task_id"])) for task in hers.ids["task_id"]),
        *((pk, own.id, (NEVER["session_id"], own.id)) for pk in hers.ids["session_id"]),
    ]:
        answers = [
            api.ask(method, f"/sessions/{s}/tasks/{t}/", body if method != "GET" else b"", by=eve)
            for s, t in ((session, task), other)
        ]
        assert answers[0].status == 404
        assert seen(answers[0]) == seen(answers[1])
    assert all_of(hers.person) == before
    assert Task.objects.filter(session=mine.id).get().title == "Own"


# -- in bodies, queries and headers ---------------------------------------------------------------


def test_ids_of_adas_in_a_body_are_not_read(api: Api, hers: Everything, eve: Person) -> None:
    before = all_of(hers.person)
    theirs = {
        "id": hers.ids["session_id"][0],
        "user": hers.person.user_id,
        "user_id": hers.person.user_id,
        "session": hers.ids["session_id"][0],
        "session_id": hers.ids["session_id"][0],
        "task": hers.ids["task_id"][0],
        "login": hers.ids["login_id"][0],
        "tasks": [{"id": hers.ids["task_id"][0], "title": "Mine"}],
        "timer": {"status": "cancelled", "version": 99},
    }
    session = api.ask(
        "POST", "/sessions/", json.dumps({"title": "W", "duration": 25} | theirs), by=eve
    )
    assert session.status == 201
    assert session.json()["user"] == eve.user_id
    assert session.json()["tasks"] == []
    path = f"/sessions/{session.json()['id']}/"
    task = api.ask(
        "POST", f"{path}tasks/", json.dumps({"title": "T", "duration": 1} | theirs), by=eve
    )
    assert task.json()["session"] == session.json()["id"]
    for target in (path, f"{path}tasks/{task.json()['id']}/", "/users/me/"):
        assert api.ask("PATCH", target, json.dumps(theirs), by=eve).status == 200
    for action in ("start", "pause", "resume", "extend", "repeat", "finish"):
        body = json.dumps(theirs | {"seconds": 1})
        assert api.ask("POST", f"{path}{action}/", body, by=eve).status < 300
    api.ask("POST", "/users/logout-all/", json.dumps(theirs), by=eve)
    api.ask("DELETE", "/users/me/logins/", json.dumps(theirs), by=eve)
    assert all_of(hers.person) == before
    assert set(Session.objects.filter(pk=session.json()["id"]).values_list("user", flat=True)) == {
        eve.user_id
    }


LISTS = ["/sessions/", "/spaces/", "/users/me/logins/"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "?limit=1&cursor={}",
        "?cursor={}",
        "?user={1}",
        "?user_id={1}",
        "?id={}",
        "?session={}",
        "?login={}",
    ],
)
def test_ids_of_adas_in_a_query_show_nothing(
    api: Api, eve: Person, hers: Everything, path: str, query: str
) -> None:
    numbers = [pk for ids in hers.ids.values() for pk in ids]
    never = api.ask("GET", path + query.format(NEVER["session_id"], NEVER["session_id"]), by=eve)
    for pk in numbers:
        answer = api.ask("GET", path + query.format(pk, hers.person.user_id), by=eve)
        assert answer.status == never.status == 200
        shown = {row["id"] for row in answer.json()}
        assert shown <= set(eve.user.logins.values_list("pk", flat=True))


def test_changes_of_adas_are_not_eves(api: Api, hers: Everything, eve: Person) -> None:
    mine = eve.has_session().id
    for since in range(30):
        answer = api.ask(
            "GET", f"/changes/?since={since}&user={hers.person.user_id}", by=eve
        ).json()
        assert answer["revision"] == 1
        assert {change["session"] for change in answer["changes"]} <= {mine}


def test_a_key_of_adas_is_any_key_to_eve(api: Api, hers: Everything, eve: Person) -> None:
    before = all_of(hers.person)
    body = json.dumps({"title": "Keyed", "duration": 5})
    mine = api.ask("POST", "/sessions/", body, {"Idempotency-Key": KEY}, by=eve)
    assert mine.status == 201
    assert (mine.json()["user"], mine.json()["id"]) != (hers.person.user_id, hers.key_of)
    other = api.ask("POST", "/sessions/", body, {"Idempotency-Key": "any"}, by=eve)
    assert mine.json().keys() == other.json().keys()
    wrong = api.ask(
        "POST", "/sessions/", '{"title": "X", "duration": 5}', {"Idempotency-Key": "new"}, by=eve
    )
    assert wrong.status == 201
    assert all_of(hers.person) == before


def test_a_refresh_token_is_who_it_belongs_to(api: Api, hers: Everything, eve: Person) -> None:
    """A log-out asks for the refresh token and for nothing else. An access token, or the refresh
    token of an ended login, ends nothing.
    """
    login = Login.objects.get(pk=hers.ids["login_id"][1])
    ended = Login.objects.get(pk=hers.ids["login_id"][2])
    for token in (pair_of(login).access, pair_of(ended).access):
        answer = api.ask("POST", "/users/logout/", json.dumps({"refresh": token}))
        assert (answer.status, answer.code) == (401, "token_not_valid")
    login.refresh_from_db()
    assert login.ended_at is None


@pytest.mark.parametrize("name", ["ada", "ADA", "ada@example.com", "nobody"])
def test_a_name_that_is_there_is_as_one_that_is_not(api: Api, hers: Everything, name: str) -> None:
    """For log-in and a forgotten password. (A sign-up has to say that a name is taken.)"""
    before = all_of(hers.person)
    body = json.dumps({"username": name, "password": "wrong"})
    other = json.dumps({"username": "x" * len(name), "password": "wrong"})
    told = [seen(api.ask("POST", "/users/login/", raw)) for raw in (body, other)]
    assert told[0] == told[1]
    email = json.dumps({"email": "ada@example.com"})
    other = json.dumps({"email": "xyz@example.com"})
    told = [seen(api.ask("POST", "/users/password/reset/", raw)) for raw in (email, other)]
    assert told[0] == told[1]
    assert all_of(hers.person) == before


def test_the_password_of_another_opens_nothing(api: Api, hers: Everything, eve: Person) -> None:
    before = all_of(hers.person)
    body = {"old_password": PASSWORD, "new_password": "a long walk at dusk", "user": "ada"}
    assert (
        api.ask("POST", "/users/password/", json.dumps(body | {"username": "ada"}), by=eve).status
        == 200
    )
    assert eve.user.check_password("a long walk at dusk")
    assert all_of(hers.person) == before


# -- pictures -------------------------------------------------------------------------------------


def test_a_picture_is_found_only_by_its_name(api: Api, hers: Everything, eve: Person) -> None:
    """By design anybody who has its URL may see it, as with a link that is shared: an `<img>` of
    another origin can send no token. So its name must be one that nobody can guess.
    """
    answer = api.ask("GET", hers.picture)
    assert (answer.status, answer.header["content-type"]) == (200, "image/webp")
    folder, _, name = hers.picture.rpartition("/")
    assert len(name.removesuffix(".webp")) >= 24  # 18 random bytes, which say nothing of Ada
    for path in (folder, folder + "/", f"{folder}/{name[:-6]}", f"{folder}/{name.swapcase()}"):
        assert api.ask("GET", path, by=eve).status == 404
    never = api.ask("GET", f"{folder}/{'A' * 24}.webp", by=eve)
    for pk in hers.ids["session_id"]:
        assert seen(api.ask("GET", f"{folder}/{pk}.webp", by=eve)) == seen(never)


# -- without a login ------------------------------------------------------------------------------


def test_without_a_login_only_what_is_listed_is_answered(api: Api, hers: Everything) -> None:
    before = all_of(hers.person)
    ids = {name: numbers[0] for name, numbers in hers.ids.items()}
    for route, method in product(ALLOWED, METHODS):
        answer = api.ask(method, path_of(route, **ids), b"{}" if method == "POST" else b"")
        if route in OPEN:
            assert answer.status != 401 or route == "users/logout/"
        else:
            assert (answer.status, answer.code) in {(401, "not_authenticated"), (401, "")}, method
            never = api.ask(method, path_of(route, **NEVER), b"{}" if method == "POST" else b"")
            assert seen(never) == seen(answer)
    assert all_of(hers.person) == before


@pytest.mark.parametrize("how", ["ended", "inactive", "deleted"])
def test_a_user_without_a_standing_login_is_answered_as_nobody(
    api: Api, hers: Everything, how: str
) -> None:
    gone = signed_up("gone")
    gone.has_session()
    if how == "ended":
        gone.post("/users/logout/")
    elif how == "inactive":
        User.objects.filter(pk=gone.user_id).update(is_active=False)
    else:
        gone.delete("/users/me/")
    ids = {name: numbers[0] for name, numbers in hers.ids.items()}
    for route in ALLOWED.keys() - OPEN:
        for method in METHODS:
            answer = api.ask(method, path_of(route, **ids), by=gone)
            assert answer.status == 401, (method, route, answer)
            assert answer.code == ("token_not_valid" if method != "HEAD" else answer.code)
