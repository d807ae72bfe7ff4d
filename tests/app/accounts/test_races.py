"""Eight requests at once, in real threads, each with a connection of its own."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models import F
from rest_framework.test import APIClient

from accounts import counters
from accounts.models import Login, User
from accounts.services import logins, password_reset
from tests.support.people import RIVALS, at_once

pytestmark = pytest.mark.django_db(transaction=True)


def post(path: str, **body: Any) -> Any:
    return APIClient().post(path, body, format="json")


def test_eight_refreshes_of_one_token_give_one_and_the_same_pair(ada: Any) -> None:
    before = Login.objects.get().refresh_jti
    answers = at_once(lambda _: post("/users/token/refresh/", refresh=ada.refresh))
    assert {response.status_code for response in answers} == {200}
    pairs = {(r.json()["access"], r.json()["refresh"]) for r in answers}
    assert len(pairs) == 1
    login = Login.objects.get()
    assert (login.previous_jti, login.ended_at) == (before, None)
    ada.carry(pairs.pop()[0])
    assert ada.is_let_in()


def test_eight_sign_ups_with_one_name_make_one_user() -> None:
    body = {"username": "ada", "email": "ada@example.com", "password": "correct horse battery"}
    answers = at_once(lambda _: post("/users/signup/", **body))
    assert Counter(r.status_code for r in answers) == {201: 1, 400: RIVALS - 1}
    losers = [r.json() for r in answers if r.status_code == 400]
    assert all({"username", "email"} & loser.keys() for loser in losers)
    assert User.objects.count() == 1


def test_of_many_that_use_one_link_at_once_one_gets_in(sign_up: Callable[..., Any]) -> None:
    sign_up("ada")
    uid, token = password_reset.link(User.objects.get(), "x").split("/")[-2:]
    body = {"uid": uid, "token": token}
    answers = at_once(
        lambda n: post(
            "/users/password/reset/confirm/", **body, new_password=f"a long password {n}"
        )
    )
    assert Counter(r.status_code for r in answers) == {200: 1, 400: RIVALS - 1}
    assert not Login.objects.active().exists()


def test_eight_renamings_to_one_name_give_it_to_one(sign_up: Callable[..., Any]) -> None:
    devices = [sign_up(f"user{number}") for number in range(RIVALS)]
    answers = at_once(
        lambda n: devices[n].api.patch("/users/me/", {"username": "ada"}, format="json")
    )
    assert Counter(r.status_code for r in answers) == {200: 1, 400: RIVALS - 1}


def test_eight_log_ins_at_once_leave_no_more_than_the_cap(ada: Any, settings: Any) -> None:
    settings.LOGINS_PER_USER = 5
    answers = at_once(
        lambda _: post("/users/login/", username="ada", password="correct horse battery")
    )
    assert {response.status_code for response in answers} == {200}
    assert Login.objects.filter(ended_at=None).count() == 5


def test_an_account_deleted_while_devices_log_in_leaves_nothing(ada: Any, settings: Any) -> None:
    settings.LIMIT_FAILED_LOGINS_PER_MINUTE = RIVALS  # those that come too late all fail

    def act(number: int) -> int:
        if number == RIVALS // 2:
            status: int = ada.api.delete("/users/me/").status_code
        else:
            body = {"username": "ada", "password": "correct horse battery"}
            status = post("/users/login/", **body).status_code
        return status

    answers = at_once(act)
    assert answers[RIVALS // 2] == 204
    assert set(answers) <= {200, 204, 401}
    assert not User.objects.exists()
    assert not Login.objects.exists()


# -- a refresh beside what ends its login --------------------------------------------------------


def logs_out(ada: Any, phone: Any) -> int:
    status: int = ada.api.post("/users/logout/").status_code
    return status


def deletes_the_account(ada: Any, phone: Any) -> int:
    status: int = phone.api.delete("/users/me/").status_code
    return status


def changes_the_password(ada: Any, phone: Any) -> int:
    body = {"old_password": "correct horse battery", "new_password": "another horse battery"}
    status: int = phone.api.post("/users/password/", body, format="json").status_code
    return status + 6  # not the status of a refresh


def is_deactivated(ada: Any, phone: Any) -> int:
    logins.deactivate(phone.user)
    return 206


@pytest.mark.parametrize(
    "end", [logs_out, deletes_the_account, changes_the_password, is_deactivated]
)
def test_refreshes_beside_the_end_of_the_login_are_good_or_refused(
    ada: Any, phone: Any, end: Any
) -> None:
    def act(number: int) -> int:
        if number == RIVALS // 2:
            return int(end(ada, phone))
        status: int = post("/users/token/refresh/", refresh=ada.refresh).status_code
        return status

    answers = Counter(at_once(act))
    (ended,) = answers.keys() - {200, 401}
    assert (ended in {204, 205, 206}, answers[ended]) == (True, 1)
    assert refused(ada.refreshed())
    assert not ada.is_let_in()


def test_a_stolen_token_used_by_many_at_once_ends_the_login_once(
    ada: Any, caplog: pytest.LogCaptureFixture, revocations: Callable[..., Any]
) -> None:
    stolen = ada.refresh
    newest = ada.refreshed().json()["refresh"]
    Login.objects.update(refreshed_at=F("refreshed_at") - timedelta(seconds=11))
    with revocations() as revoked:
        answers = at_once(lambda _: post("/users/token/refresh/", refresh=stolen).status_code)
    assert set(answers) == {401}
    assert [revocation.reason for revocation in revoked] == ["refresh_reused"]
    assert caplog.text.count("refresh_reused") == 2  # that it was, and that the login ended by it
    assert post("/users/token/refresh/", refresh=newest).status_code == 401


def test_the_holder_of_the_newest_token_and_a_thief_at_once(ada: Any) -> None:
    """Whichever request comes first, the login ends."""
    stolen = ada.refresh
    newest = ada.refreshed().json()["refresh"]
    Login.objects.update(refreshed_at=F("refreshed_at") - timedelta(seconds=11))

    def act(number: int) -> int:
        token = stolen if number % 2 else newest
        status: int = post("/users/token/refresh/", refresh=token).status_code
        return status

    answers = at_once(act)
    assert set(answers) <= {200, 401}
    assert {answers[n] for n in range(1, RIVALS, 2)} == {401}
    assert Login.objects.get().ended_at is not None


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "name"),
    [("LIMIT_FAILED_LOGINS_PER_MINUTE", "ada"), ("LIMIT_FAILED_LOGINS_PER_ADDRESS", "user{}")],
)
def test_of_fifty_guesses_at_once_exactly_the_limit_get_an_answer(
    ada: Any, settings: Any, limit: str, name: str
) -> None:
    setattr(settings, limit, 7)

    def guess(number: int) -> Any:
        body = {"username": name.format(number), "password": f"guess {number}"}
        return APIClient().post("/users/login/", body, format="json", REMOTE_ADDR="192.0.2.66")

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(_closing(guess), range(50)))
    assert Counter(r.status_code for r in answers) == {401: 7, 429: 43}
    assert all(1 <= int(r["Retry-After"]) <= 60 for r in answers if r.status_code == 429)


@pytest.mark.parametrize("alone", [False, True], ids=["in Redis", "without Redis"])
def test_of_fifty_counts_at_once_no_two_are_the_same(
    monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    if alone:
        monkeypatch.setattr(counters._shared, "_may_try", lambda: False)
    with ThreadPoolExecutor(50) as pool:
        counts = list(pool.map(lambda _: counters.raise_count("x"), range(50)))
    assert sorted(count.number for count in counts) == list(range(1, 51))
    assert {count.alone for count in counts} == {alone}


def _closing(act: Callable[[int], Any]) -> Callable[[int], Any]:
    """More threads than the pool has connections: each gives its own back."""

    def run(number: int) -> Any:
        try:
            return act(number)
        finally:
            connections.close_all()

    return run


def refused(response: Any) -> bool:
    return (response.status_code, response.json()["code"]) == (401, "token_not_valid")
