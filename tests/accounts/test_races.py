"""Twenty at once, in real threads, each with a connection of its own."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from rest_framework.test import APIClient

from accounts.models import Login, User

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 20


def at_once(act: Callable[[int], Any], times: int = MANY) -> list[Any]:
    """What `act(0)`, `act(1)`, ... gave, all begun at the same moment."""
    start = Barrier(times)
    connections.close_all()  # the pool has as many as there are threads

    def run(number: int) -> Any:
        try:
            connections["default"].ensure_connection()
            start.wait(timeout=10)
            return act(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def post(path: str, **body: Any) -> Any:
    return APIClient().post(path, body, format="json")


def test_twenty_refreshes_of_one_token_give_one_and_the_same_pair(ada: Any) -> None:
    before = Login.objects.get().refresh_jti
    answers = at_once(lambda _: post("/users/token/refresh/", refresh=ada.refresh))
    assert {response.status_code for response in answers} == {200}
    pairs = {(r.json()["access"], r.json()["refresh"]) for r in answers}
    assert len(pairs) == 1
    login = Login.objects.get()
    assert (login.previous_jti, login.ended_at) == (before, None)
    ada.carry(pairs.pop()[0])
    assert ada.is_let_in()


def test_twenty_sign_ups_with_one_name_make_one_user() -> None:
    body = {"username": "ada", "email": "ada@example.com", "password": "correct horse battery"}
    answers = at_once(lambda _: post("/users/signup/", **body))
    assert Counter(r.status_code for r in answers) == {201: 1, 400: MANY - 1}
    losers = [r.json() for r in answers if r.status_code == 400]
    assert all({"username", "email"} & loser.keys() for loser in losers)
    assert User.objects.count() == 1


def test_twenty_renamings_to_one_name_give_it_to_one(sign_up: Callable[..., Any]) -> None:
    devices = [sign_up(f"user{number}") for number in range(MANY)]
    answers = at_once(
        lambda n: devices[n].api.patch("/users/me/", {"username": "ada"}, format="json")
    )
    assert Counter(r.status_code for r in answers) == {200: 1, 400: MANY - 1}


def test_twenty_right_log_ins_at_once_all_come_in(ada: Any) -> None:
    answers = at_once(
        lambda _: post("/users/login/", username="ada", password="correct horse battery")
    )
    assert {response.status_code for response in answers} == {200}


def test_of_twenty_guesses_at_once_ten_get_an_answer(ada: Any) -> None:
    answers = at_once(lambda n: post("/users/login/", username="ada", password=f"guess {n}"))
    assert Counter(r.status_code for r in answers) == {401: 10, 429: MANY - 10}


def test_twenty_log_outs_and_refreshes_leave_the_login_ended(ada: Any) -> None:

    def act(number: int) -> int:
        path = "/users/logout/" if number % 2 else "/users/token/refresh/"
        status: int = post(path, refresh=ada.refresh).status_code
        return status

    assert set(at_once(act)) <= {200, 205, 401}
    assert Login.objects.get().ended_at is not None


def test_an_account_deleted_while_devices_log_in_leaves_nothing(ada: Any, settings: Any) -> None:
    settings.LIMIT_FAILED_LOGINS_PER_MINUTE = MANY  # those that come too late all fail

    def act(number: int) -> int:
        if number == MANY // 2:
            status: int = ada.api.delete("/users/me/").status_code
        else:
            body = {"username": "ada", "password": "correct horse battery"}
            status = post("/users/login/", **body).status_code
        return status

    answers = at_once(act)
    assert answers[MANY // 2] == 204
    assert set(answers) <= {200, 204, 401}
    assert not User.objects.exists()
    assert not Login.objects.exists()
