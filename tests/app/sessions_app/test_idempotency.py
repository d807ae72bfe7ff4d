"""The same request with the same key happens once."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from sessions_app.commands import command
from sessions_app.exceptions import (
    AnotherSessionIsActive,
    IdempotencyMismatch,
    IllegalTransition,
    InvalidInput,
    NotFound,
    StaleVersion,
    TooManyKeys,
)
from sessions_app.idempotency import once, purge_old_keys
from sessions_app.models import IdempotencyKey, Session
from tests.app.sessions_app.conftest import Listen
from tests.support.people import Person

A_DAY = timedelta(hours=24)


def grow_old(by: timedelta) -> None:
    for row in IdempotencyKey.objects.all():
        IdempotencyKey.objects.filter(pk=row.pk).update(created_at=row.created_at - by)


def test_a_repeat_has_no_effect_and_the_same_answer(ada: Person, announced: Listen) -> None:
    session = ada.has_running()
    with announced() as heard:
        first, second = (
            command("extend", session.id, {"seconds": 60}, by=ada.actor, key="k") for _ in range(2)
        )
    assert first.state == second.state
    assert (first.repeated, second.repeated) == (False, True)
    assert len(heard) == 1
    assert Session.objects.get().planned_ms == 26 * 60_000


def test_without_a_key_each_request_counts(ada: Person) -> None:
    session = ada.has_running()
    for _ in range(2):
        command("extend", session.id, {"seconds": 60}, by=ada.actor)
    assert Session.objects.get().planned_ms == 27 * 60_000


@pytest.mark.parametrize(
    ("action", "arguments", "seen", "other_session"),
    [
        ("extend", {"seconds": 61}, None, False),
        ("extend", {"seconds": 60}, 2, False),
        ("extend", {"seconds": 60}, None, True),
        ("pause", {}, None, False),
    ],
)
def test_a_key_belongs_to_one_request(
    ada: Person, action: str, arguments: Any, seen: int | None, other_session: bool
) -> None:
    session, other = ada.has_running(), ada.has_session()
    command("extend", session.id, {"seconds": 60}, by=ada.actor, key="k")
    target = other.id if other_session else session.id
    with pytest.raises(IdempotencyMismatch):
        command(action, target, arguments, by=ada.actor, seen=seen, key="k")
    assert Session.objects.get(pk=session.id).version == 3


def test_a_key_of_another_user_is_another_key(ada: Person, eve: Person) -> None:
    for person in (ada, eve):
        session = person.has_session()
        command("start", session.id, {}, by=person.actor, key="k")
    assert Session.objects.filter(status="running").count() == 2


def test_a_refusal_is_an_answer_too(ada: Person) -> None:
    session = ada.has_session()
    with pytest.raises(IllegalTransition) as first:
        command("pause", session.id, {}, by=ada.actor, key="k")
    command("start", session.id, {}, by=ada.actor)
    with pytest.raises(IllegalTransition) as second:
        command("pause", session.id, {}, by=ada.actor, key="k")
    assert second.value.state == first.value.state
    assert str(second.value) == str(first.value)
    assert Session.objects.get().status == "running"


def test_a_stale_command_stays_stale(ada: Person) -> None:
    session = ada.has_session()
    for _ in range(2):
        with pytest.raises(StaleVersion) as refusal:
            command("start", session.id, {}, by=ada.actor, seen=9, key="k")
        assert refusal.value.state is not None
    assert Session.objects.get().status == "ready"


def test_a_refused_command_is_rolled_back(ada: Person) -> None:
    ada.has_running()
    other, before = ada.has_session(), ada.revision
    with pytest.raises(AnotherSessionIsActive):
        command("start", other.id, {}, by=ada.actor, key="k")
    assert ada.revision == before


@pytest.mark.parametrize(
    ("arguments", "refusal"), [({"seconds": "5"}, InvalidInput), ({"seconds": 1}, NotFound)]
)
def test_a_malformed_request_does_not_use_up_its_key(
    ada: Person, arguments: Any, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        command("extend", 0, arguments, by=ada.actor, key="k")
    session = ada.has_running()
    command("extend", session.id, {"seconds": 60}, by=ada.actor, key="k")
    assert Session.objects.get().planned_ms == 26 * 60_000


def test_a_crash_leaves_neither_the_effect_nor_the_answer(ada: Person) -> None:
    session = ada.has_session()

    def crashes() -> None:
        command("start", session.id, {}, by=ada.actor)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        once(ada.user_id, "k", {}, crashes, type(None))
    assert Session.objects.get().status == "ready"
    assert not IdempotencyKey.objects.exists()


def test_a_key_is_kept_for_a_day(ada: Person) -> None:
    assert once(ada.user_id, "k", {}, lambda: 1, int).state == 1
    grow_old(A_DAY - timedelta(minutes=1))
    assert once(ada.user_id, "k", {}, lambda: 2, int).state == 1
    grow_old(timedelta(minutes=2))
    assert once(ada.user_id, "k", {"another": "request"}, lambda: 2, int).state == 2


def test_keys_of_the_day_before_are_purged(ada: Person) -> None:
    once(ada.user_id, "old", {}, lambda: 1, int)
    grow_old(A_DAY + timedelta(minutes=1))
    once(ada.user_id, "new", {}, lambda: 1, int)
    assert purge_old_keys()
    assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]


# -- over REST, on every POST under /sessions/ ---------------------------------------------------


POSTS: list[tuple[str, Any, Any]] = [
    ("", {"title": "Write", "duration": 25}, {"title": "Read", "duration": 25}),
    ("{ready}/start/", {}, {"replace": True}),
    ("{ready}/repeat/", {}, {"junk": 1}),
    ("{ready}/tasks/", {"title": "A", "duration": 1}, {"title": "B", "duration": 1}),
    ("{running}/pause/", {}, {"version": 2}),
    ("{running}/extend/", {"seconds": 60}, {"seconds": 61}),
    ("{running}/finish/", {}, {"version": 2}),
    ("{running}/cancel/", {}, {"version": 2}),
    ("{paused}/resume/", {}, {"version": 3}),
]


@pytest.mark.parametrize(("path", "body", "another"), POSTS, ids=[p[0] or "create" for p in POSTS])
def test_every_post_takes_a_key(ada: Person, path: str, body: Any, another: Any) -> None:
    kind = path.partition("/")[0].strip("{}")
    make = {"running": ada.has_running, "paused": ada.has_paused}.get(kind, ada.has_session)
    path = f"/sessions/{path.format(**{kind: make().id})}" if kind else "/sessions/"
    first = ada.post(path, body, Idempotency_Key="k")
    assert first.status_code in {200, 201}, first.content
    revision = ada.revision
    second = ada.post(path, body, Idempotency_Key="k")
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers.get("ETag") == first.headers.get("ETag")
    mismatch = ada.post(path, another, Idempotency_Key="k")
    assert (mismatch.status_code, mismatch.json()["code"]) == (422, "idempotency_mismatch")
    assert ada.revision == revision


@pytest.mark.parametrize(
    "junk", ['"\\ud800"', str(2**70), "1e308", "[" * 30 + "]" * 30, '{"b": 1, "a": 2}']
)
def test_a_key_works_with_unknown_fields_in_the_body(ada: Person, junk: str) -> None:
    body = f'{{"title": "Write", "duration": 25, "junk": {junk}}}'
    answers = [
        ada.api.post(
            "/sessions/",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": "k"},
        )
        for _ in range(2)
    ]
    assert {a.status_code for a in answers} == {201}, answers[0].content
    assert Session.objects.count() == 1


def test_a_request_of_a_deleted_user_has_no_effect(db: None) -> None:
    with pytest.raises(NotFound):
        once(2**31, "key", "a request", lambda: pytest.fail("it was done"), int)


def test_the_stored_answers_of_a_user_are_bounded(ada: Person, eve: Person, settings: Any) -> None:
    """Refusals are answers too: a hundred kilobytes each, and as many as there are keys."""
    session = ada.has_running()
    settings.QUOTA_ANSWERS_MIB = 1 / 1024

    def pause(key: str) -> None:
        command("pause", session.id, {}, by=ada.actor, seen=1, key=key)

    for key in ("a", "b", "c"):
        with suppress(StaleVersion, TooManyKeys):
            pause(key)
    with pytest.raises(TooManyKeys):
        pause("d")
    with pytest.raises(StaleVersion):
        pause("a")  # what is known is answered
    assert IdempotencyKey.objects.filter(user_id=ada.user_id).count() < 4
    command("extend", session.id, {"seconds": 1}, by=ada.actor)
    hers = eve.has_running()
    command("extend", hers.id, {"seconds": 1}, by=eve.actor, key="d")
