"""Rate limits, with Redis and without."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts import counters
from accounts.limits import HOUR_S, Limit
from accounts.models import Login, User
from runtime.client_address import client_address, network_of
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db
ELSEWHERE = "192.0.2.66"  # no user is logged in from here


def log_in(name: str, password: str, address: str = ELSEWHERE) -> Any:
    body = {"username": name, "password": password}
    return APIClient().post("/users/login/", body, format="json", REMOTE_ADDR=address)


def is_refused_after_ten(log_in: Callable[[], Any]) -> bool:
    return [log_in().status_code for _ in range(11)] == [401] * 10 + [429]


def too_often(response: Any) -> bool:
    if response.status_code != 429:
        return False
    assert response.json()["code"] == "throttled"
    assert 1 <= int(response["Retry-After"]) <= 60
    return True


@pytest.mark.parametrize(
    ("setting", "path", "status"),
    [
        ("LIMIT_SIGNUPS_PER_MINUTE", "signup/", 400),
        ("LIMIT_REFRESHES_PER_MINUTE", "token/refresh/", 400),
        ("LIMIT_RESETS_PER_MINUTE", "password/reset/", 400),
        ("LIMIT_RESETS_PER_MINUTE", "password/reset/confirm/", 400),
    ],
)
def test_requests_without_a_login_are_limited_by_address(
    settings: Any, minute: Any, setting: str, path: str, status: int
) -> None:
    setattr(settings, setting, 3)

    def attempt(address: str) -> Any:
        return APIClient().post(f"/users/{path}", {}, format="json", REMOTE_ADDR=address)

    assert [attempt("192.0.2.1").status_code for _ in range(3)] == [status] * 3
    assert too_often(attempt("192.0.2.1"))
    assert attempt("192.0.2.2").status_code == status
    minute.passes()
    assert attempt("192.0.2.1").status_code == status


@pytest.mark.parametrize(
    ("setting", "method", "path", "status"),
    [
        ("LIMIT_REQUESTS_PER_MINUTE", "get", "me/", 200),
        ("LIMIT_PASSWORD_CHANGES_PER_MINUTE", "post", "password/", 400),
    ],
)
def test_requests_with_a_login_are_limited_by_user(
    settings: Any, ada: Any, phone: Any, eve: Any, setting: str, method: str, path: str, status: int
) -> None:
    setattr(settings, setting, 4)

    def ask(device: Any) -> Any:
        return getattr(device.api, method)(f"/users/{path}")

    assert [ask(device).status_code for device in (ada, phone, ada, phone)] == [status] * 4
    assert too_often(ask(ada))
    assert too_often(ask(phone))
    assert ask(eve).status_code == status


def test_failed_log_ins_are_limited_by_name(ada: Any, minute: Any) -> None:
    for name in ("ada", "nobody"):  # the limit does not reveal which names exist
        assert [log_in(name, f"guess {n}").status_code for n in range(10)] == [401] * 10
        assert too_often(log_in(name, "guess"))
    assert too_often(log_in("ADA", PASSWORD))  # even the right one has to wait
    assert log_in("eve", "guess").status_code == 401
    minute.passes()
    assert log_in("ada", PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("here", "elsewhere"),
    [
        (["192.0.2.66"] * 3, "192.0.2.67"),
        ([f"2001:db8:0:7:{n}::{n}" for n in ("0", "1", "ffff")], "2001:db8:0:8::3"),  # one site
    ],
)
def test_failed_log_ins_are_limited_by_network_over_all_names(
    settings: Any, ada: Any, here: list[str], elsewhere: str
) -> None:
    settings.LIMIT_FAILED_LOGINS_PER_ADDRESS = 2
    for number, address in enumerate(here[:2]):
        assert log_in(f"user{number}", "guess", address).status_code == 401
    for name in ("user3", "ada"):
        assert too_often(log_in(name, PASSWORD, here[2]))
    assert log_in("user3", "guess", elsewhere).status_code == 401


def test_the_network_of_an_address() -> None:
    for address, network in (
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("2001:db8:0:1::", "2001:db8:0:1::/64"),
        (None, "-"),
    ):
        assert network_of(address) == network


def test_guesses_from_elsewhere_do_not_keep_the_owner_out(ada: Any) -> None:
    assert is_refused_after_ten(lambda: log_in("ada", "guess"))
    assert log_in("ada", PASSWORD, "127.0.0.1").status_code == 200  # where ada is logged in
    assert log_in("ada@example.com", PASSWORD, "127.0.0.1").status_code == 200
    assert too_often(log_in("ada", PASSWORD))


def test_the_whole_ipv6_site_of_a_device_counts_as_its_network(ada: Any) -> None:
    Login.objects.update(address="2001:db8:0:7::1")
    assert is_refused_after_ten(lambda: log_in("ada", "guess"))
    assert log_in("ada", PASSWORD, "2001:db8:0:7:8000::2").status_code == 200
    assert too_often(log_in("ada", PASSWORD, "2001:db8:0:8::1"))


def test_guesses_at_home_are_limited_too(ada: Any, eve: Any) -> None:
    home = "127.0.0.1"
    assert [log_in("ada", "guess", home).status_code for _ in range(11)] == [401] * 10 + [429]
    assert log_in("ada", PASSWORD).status_code == 200  # elsewhere it is not known
    assert log_in("eve", PASSWORD, home).status_code == 200  # nor of another name


def test_a_home_is_one_no_longer_when_the_login_has_ended(ada: Any) -> None:
    assert is_refused_after_ten(lambda: log_in("ada", "guess"))
    ada.api.post("/users/logout/")
    assert too_often(log_in("ada", PASSWORD, "127.0.0.1"))


@pytest.fixture
def idle(sign_up: Callable[..., Any]) -> None:
    """A user who is deactivated."""
    sign_up("idle")
    User.objects.filter(username="idle").update(is_active=False)


def test_each_attempt_asks_the_database_alike(
    ada: Any, idle: None, django_assert_num_queries: Callable[..., Any]
) -> None:
    """So that neither the time nor the load tells which names exist."""
    for name in ("ada", "nobody", "idle", "nobody@example.com"):
        for address in (ELSEWHERE, "127.0.0.1"):
            with django_assert_num_queries(1):
                assert log_in(name, "guess", address).status_code == 401


def test_each_attempt_is_counted_alike(
    ada: Any, idle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is asked as often for a name that exists as for one that does not."""
    asked: list[str] = []
    for name in ("add", "incr", "get_many"):
        real = getattr(counters.cache, name)

        def asking(*args: Any, of: str = name, real: Any = real) -> Any:
            asked.append(of)
            return real(*args)

        monkeypatch.setattr(counters.cache, name, asking, raising=False)
    for number, name in enumerate(("ada", "nobody", "idle")):
        asked.clear()
        log_in(name, "guess", f"192.0.2.{number}")
        assert asked == ["get_many", "incr", "add", "incr", "add"], name


def test_a_limit_outside_of_views(settings: Any, minute: Any) -> None:
    settings.LIMIT_X = 2
    limit = Limit("x", "LIMIT_X", HOUR_S)
    assert [limit.takes("ada") for _ in range(3)] == [True, True, False]
    assert limit.takes("eve")
    minute.passes()
    assert not limit.takes("ada"), "it is an hour's"


def test_right_log_ins_are_not_counted(ada: Any) -> None:
    assert {log_in("ada", PASSWORD).status_code for _ in range(15)} == {200}


def test_another_name_gives_no_more_guesses_at_the_password(ada: Any, settings: Any) -> None:
    """A thief with a token can change the name without the password."""
    settings.LIMIT_PASSWORD_CHANGES_PER_MINUTE = 100

    def guess() -> int:
        body = {"old_password": "guess", "new_password": "a battery of horses"}
        status: int = ada.api.post("/users/password/", body, format="json").status_code
        return status

    assert [guess() for _ in range(10)] == [400] * 10
    assert ada.api.patch("/users/me/", {"username": "b"}, format="json").status_code == 200
    assert guess() == 429


def test_a_name_and_an_address_are_one_user(ada: Any) -> None:
    names = ["ada", "ada@example.com"] * 6
    statuses = [log_in(name, "guess").status_code for name in names]
    assert statuses == [401] * 10 + [429] * 2


def test_a_name_that_is_a_number_counts_for_no_user(ada: Any) -> None:
    for name in (str(ada.user.pk), f"\\0{ada.user.pk}", f"user {ada.user.pk}"):
        assert log_in(name, "guess").status_code == 401
    assert log_in(f"\0{ada.user.pk}", "guess").status_code == 400
    assert counters.read_counts([f"failed log-ins \0{ada.user.pk}"]) == [counters.Count(0)]


def test_the_counts_are_shared_by_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [counters.raise_count("x").number for _ in range(3)] == [1, 2, 3]
    monkeypatch.setattr(counters, "_own", counters._OwnCounts())
    assert counters.raise_count("x") == counters.Count(4)
    assert counters.read_counts(["x", "y"]) == [counters.Count(4), counters.Count(0)]


def test_an_hour_is_counted_apart_from_its_minutes(minute: Any) -> None:
    minute.now = minute.now // HOUR_S * HOUR_S + 10
    assert counters.raise_count("x", HOUR_S).number == 1
    assert counters.raise_count("x").number == 1
    minute.passes()
    assert counters.read_counts(["x"]) == [counters.Count(0)]
    assert counters.raise_count("x", HOUR_S).number == 2
    assert counters.seconds_left(HOUR_S) == HOUR_S - 70


# -- without Redis -------------------------------------------------------------------------------


@pytest.fixture
def redis_at(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Looks for Redis at another port."""
    monkeypatch.setattr(counters, "_shared", counters._Shared())

    def use(port: int) -> None:
        here = settings.CACHES["default"]
        settings.CACHES = {"default": {**here, "LOCATION": f"redis://127.0.0.1:{port}/0"}}

    return use


@pytest.fixture
def a_silent_port() -> Iterator[int]:
    """Takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield server.getsockname()[1]


@pytest.fixture
def a_closed_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def test_without_redis_everything_works_and_one_process_counts_alone(
    redis_at: Callable[[int], None], a_closed_port: int, sign_up: Callable[..., Any]
) -> None:
    redis_at(a_closed_port)
    assert sign_up("grace").is_let_in()
    assert [log_in("grace", "guess").status_code for _ in range(4)] == [401] * 3 + [429]


@pytest.mark.parametrize(("limit", "alone"), [(120, 30), (10, 3), (5, 2), (1, 1), (0, 0)])
def test_a_process_that_counts_alone_allows_a_fourth(limit: int, alone: int) -> None:
    assert counters.Count(1, alone=True).allowed(limit) == alone
    assert counters.Count(1).allowed(limit) == limit


def test_a_redis_that_hangs_is_waited_for_once(
    redis_at: Callable[[int], None], a_silent_port: int, sign_up: Callable[..., Any]
) -> None:
    redis_at(a_silent_port)
    begun = time.monotonic()
    device = sign_up("grace")
    assert all(device.is_let_in() for _ in range(5))
    assert time.monotonic() - begun < 3


def test_the_log_says_once_a_minute_that_redis_is_away(
    redis_at: Callable[[int], None],
    a_closed_port: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    redis_at(a_closed_port)
    now = [1000.0]
    monkeypatch.setattr(counters, "monotonic", lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(59):
            counters.raise_count("x")
            now[0] += 1
        assert caplog.text.count("Redis is away") == 1
        now[0] += 10
        counters.raise_count("x")
    assert caplog.text.count("Redis is away") == 2


def test_redis_is_used_again_when_it_is_back(
    redis_at: Callable[[int], None],
    a_closed_port: int,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redis = settings.CACHES
    now = [1000.0]
    monkeypatch.setattr(counters, "monotonic", lambda: now[0])
    counters.raise_count("x")
    redis_at(a_closed_port)
    counters.raise_count("x")
    settings.CACHES = redis
    assert counters.raise_count("x") == counters.Count(2, alone=True)  # still left alone
    now[0] += counters.RETRY_S
    assert counters.raise_count("x") == counters.Count(2)  # the second in Redis


# -- the client's address ------------------------------------------------------------------------


PROXIES = [
    (0, None, "192.0.2.9"),
    (0, "203.0.113.1", "192.0.2.9"),  # any client can send that
    (1, "203.0.113.1", "203.0.113.1"),
    (1, "198.51.100.7, 203.0.113.1", "203.0.113.1"),
    (2, "198.51.100.7, 203.0.113.1, 10.0.0.1", "203.0.113.1"),
    (2, "203.0.113.1", "192.0.2.9"),  # came past a proxy
    (1, None, "192.0.2.9"),
    (1, "garbage", "192.0.2.9"),
    (1, "2001:DB8:0:0::1", "2001:db8::1"),
    (1, "::ffff:203.0.113.1", "203.0.113.1"),  # IPv4 through a socket of both
    (1, "fe80::1%eth0", "fe80::1"),  # PostgreSQL takes no zone
]


def test_only_our_own_proxies_are_believed(settings: Any) -> None:
    for proxies, forwarded, address in PROXIES:
        settings.TRUSTED_PROXIES = proxies
        sent = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
        assert client_address({"REMOTE_ADDR": "192.0.2.9"} | sent) == address, forwarded
    assert client_address({}) is client_address({"REMOTE_ADDR": ""}) is None


def test_a_forged_header_is_not_shown_as_the_devices_address(ada: Any) -> None:
    APIClient().post(
        "/users/login/",
        {"username": "ada", "password": PASSWORD},
        format="json",
        HTTP_X_FORWARDED_FOR="8.8.8.8",
    )
    shown = ada.api.get("/users/me/logins/").json()
    assert [login["address"] for login in shown] == ["127.0.0.1"] * 2
