"""How many logins a user may have, how they are listed, and how long old ones are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from accounts.events import LoginRevoked
from accounts.models import Login
from accounts.services import retention
from accounts.services.retention import RETENTION, purge_old_logins
from sessions_app.timekeeper import loop

pytestmark = pytest.mark.django_db

LOGINS = "/users/me/logins/"
MINUTE = timedelta(minutes=1)


def seen(device: Any, minutes_ago: int) -> None:
    ago = F("last_seen") - timedelta(minutes=minutes_ago)
    Login.objects.filter(pk=device.login.pk).update(last_seen=ago)


# -- the cap -------------------------------------------------------------------------------------


def test_one_more_than_the_cap_ends_the_login_seen_longest_ago(
    ada: Any, log_in: Callable[..., Any], settings: Any, revocations: Callable[..., Any]
) -> None:
    settings.LOGINS_PER_USER = 3
    phone, tablet = log_in("ada"), log_in("ada")
    for device, minutes in ((ada, 0), (phone, 9), (tablet, 5)):
        seen(device, minutes)
    with revocations() as revoked:
        laptop = log_in("ada")
    assert revoked == [LoginRevoked(ada.user.pk, phone.answer_login, "too_many_logins")]
    assert [d.is_let_in() for d in (ada, phone, tablet, laptop)] == [True, False, True, True]


def test_those_that_are_too_many_all_end_when_the_cap_was_lowered(
    ada: Any, log_in: Callable[..., Any], settings: Any
) -> None:
    devices = [ada, *(log_in("ada") for _ in range(4))]
    settings.LOGINS_PER_USER = 2
    newest = log_in("ada")
    assert [d.is_let_in() for d in (*devices, newest)] == [False] * 4 + [True] * 2


def test_ended_logins_and_those_of_others_take_no_room(
    ada: Any, eve: Any, log_in: Callable[..., Any], settings: Any
) -> None:
    settings.LOGINS_PER_USER = 2
    log_in("ada").api.post("/users/logout/")
    log_in("ada")
    assert ada.is_let_in()
    assert eve.is_let_in()


# -- the list ------------------------------------------------------------------------------------


def test_the_list_comes_in_pages_if_asked_to(ada: Any, log_in: Callable[..., Any]) -> None:
    for number in range(4):
        log_in("ada", device=f"Device {number}")
    whole = [row["id"] for row in ada.api.get(LOGINS).json()]
    assert whole == sorted(whole, reverse=True)
    assert len(whole) == 5
    pages, path = [], f"{LOGINS}?limit=2"
    while path:
        answer = ada.api.get(path)
        pages.append([row["id"] for row in answer.json()])
        path = answer.get("Link", "").partition(">")[0].removeprefix("<")
    assert pages == [whole[:2], whole[2:4], whole[4:]]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "cursor=-1", "cursor=1e3"])
def test_an_invalid_page_is_refused(ada: Any, query: str) -> None:
    answer = ada.api.get(f"{LOGINS}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert query.partition("=")[0] in answer.json()


# -- old ones ------------------------------------------------------------------------------------


def ended(device: Any, ago: timedelta) -> None:
    Login.objects.filter(pk=device.answer_login).update(ended_at=F("last_seen") - ago)


def test_logins_that_ended_long_ago_are_deleted(
    ada: Any, log_in: Callable[..., Any], eve: Any
) -> None:
    lately, long_ago = log_in("ada"), log_in("ada")
    ended(lately, RETENTION - MINUTE)
    ended(long_ago, RETENTION + MINUTE)
    purge_old_logins()
    left = set(Login.objects.values_list("pk", flat=True))
    assert left == {ada.login.pk, eve.login.pk, lately.answer_login}


def test_logins_that_expired_long_ago_are_deleted(
    ada: Any, phone: Any, eve: Any, settings: Any
) -> None:
    lifetime = settings.REFRESH_TOKEN_LIFETIME
    for device, ago in (
        (phone, lifetime + RETENTION + MINUTE),
        (eve, lifetime + RETENTION - MINUTE),
    ):
        login = Login.objects.filter(pk=device.answer_login)
        login.update(refreshed_at=F("refreshed_at") - ago)
    purge_old_logins()
    assert set(Login.objects.values_list("pk", flat=True)) == {ada.answer_login, eve.answer_login}


def test_the_tokens_of_a_deleted_login_are_refused_like_those_of_an_ended_one(ada: Any) -> None:
    ended(ada, RETENTION + MINUTE)
    refused = [ada.api.get("/users/me/"), ada.refreshed()]
    purge_old_logins()
    assert not Login.objects.exists()
    for before, after in zip(refused, [ada.api.get("/users/me/"), ada.refreshed()], strict=True):
        assert after.status_code == 401
        assert {**after.json(), "request_id": ""} == {**before.json(), "request_id": ""}


def test_many_are_deleted_slice_by_slice(
    ada: Any, log_in: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(4):
        ended(log_in("ada"), RETENTION + MINUTE)
    counts = []
    for _ in range(4):
        purge_old_logins()
        counts.append(Login.objects.count())
    assert counts == [3, 1, 1, 1]


def test_the_timekeeper_does_it(ada: Any, phone: Any) -> None:
    ended(phone, RETENTION + MINUTE)
    loop.Timekeeper()._round()
    assert Counter(Login.objects.values_list("pk", flat=True)) == {ada.login.pk: 1}


def test_old_logins_are_found_by_an_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Login.objects.purgeable(RETENTION).explain()
    assert "login_ended" in plan
    assert "login_refreshed" in plan
