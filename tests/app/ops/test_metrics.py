"""`/metrics`: its content, its token, its port, and that no client can make it grow."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import fields
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from config.variables import address
from ops.metrics import families, listener, loop_lag
from ops.metrics.page import Metrics
from ops.metrics.registry import REGISTRY
from realtime import stats
from runtime.stats import Histogram, LabelledCounter
from server.asgi.early_errors import no_rest
from sessions_app.stats import Stats
from tests.support.asgi import Answer, ask
from web import request_metrics

TOKEN = "t" * 40


@pytest.fixture(params=["server", "timekeeper"])
def role(request: pytest.FixtureRequest) -> Iterator[families.Role]:
    families.register(request.param)
    yield request.param
    families.register("server")


@pytest.fixture
def server() -> None:
    families.register("server")


def samples() -> dict[str, float]:
    """Every sample, by its name and labels, as Prometheus would read it."""
    text = generate_latest(REGISTRY).decode()
    return {
        sample.name + "".join(f",{k}={v}" for k, v in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


# -- content -------------------------------------------------------------------------------------


def test_every_family_can_be_parsed_and_has_a_meaning(role: families.Role) -> None:
    text = generate_latest(REGISTRY).decode()
    read = list(text_string_to_metric_families(text))
    ours = [family for family in read if family.name.startswith("space_")]
    assert len(ours) >= 20
    assert all(family.documentation.endswith(".") for family in ours)
    assert len({family.name for family in read}) == len(read)


def test_a_process_has_its_role_and_only_the_families_of_it(role: families.Role) -> None:
    now = samples()
    assert any(name.startswith("space_info") and f"role={role}" in name for name in now)
    assert ("space_ticks_sent_total" in now) == (role == "server")
    assert ("space_sessions_ended_total" in now) == (role == "timekeeper")


def test_a_metric_rises_with_its_counter(server: None) -> None:
    before = samples()
    stats.stats.ticks_sent += 3
    stats.tick_lateness.observe(0.004, 3)
    stats.stats.publish_failed += 1
    stats.commands["pause", "ok"] += 1
    request_metrics.count_error("illegal_transition")
    rose = {name: value - before.get(name, 0) for name, value in samples().items()}
    assert rose["space_ticks_sent_total"] == 3
    assert rose["space_tick_lateness_seconds_bucket,le=0.01"] == 3
    assert rose["space_tick_lateness_seconds_sum"] == pytest.approx(0.012)
    assert rose["space_messages_not_published_total,reason=failed"] == 1
    assert rose["space_socket_commands_total,action=pause,result=ok"] == 1
    assert rose["space_errors_total,code=illegal_transition"] == 1


@pytest.mark.parametrize(("role_", "counted"), [("server", stats.Stats), ("timekeeper", Stats)])
def test_every_counter_with_a_metric_is_shown(role_: families.Role, counted: type[Any]) -> None:
    declared = {field.metadata["metric"] for field in fields(counted) if field.metadata}
    assert declared <= {family.name for family in families.all_of(role_)}


def test_buckets_count_each_time_under_every_bound_that_it_is_within() -> None:
    times = Histogram("space_x_seconds", "Some.", 0.1, 1)
    for seconds in (0.1, 0.5, 7):
        times.observe(seconds)
    assert times.as_dict() == {0.1: 1, 1: 2, inf: 3}
    assert (times.total, len(times)) == (pytest.approx(7.6), 3)


def test_an_unknown_name_counts_as_other() -> None:
    counts = LabelledCounter("space_x", "Some.", "result", ("sent",))
    for name in ("sent", "\n{evil}", "more"):
        counts.add(name)
    assert counts.as_dict() == {"sent": 1, "other": 2}


def test_the_age_of_a_timekeepers_last_round_needs_no_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted = Stats()
    assert counted.seconds_since_round() is None
    monkeypatch.setattr("sessions_app.stats.time.monotonic", lambda: 100.0)
    counted.round_done(0.002)
    monkeypatch.setattr("sessions_app.stats.time.monotonic", lambda: 107.0)
    assert (counted.seconds_since_round(), counted.rounds) == (7.0, 1)


def test_the_largest_lag_of_a_loop_is_forgotten_after_a_minute() -> None:
    now = 0.0
    loop = loop_lag.Lag(lambda: now)
    assert loop.silent() is None
    for now, late in ((0.0, 0.0), (1.0, 0.4), (31.0, 0.01)):
        loop.beat(now - late, now)
    assert loop.most() == pytest.approx(0.4)
    for now in (62.0, 200.0):
        loop.beat(now, now)
    assert loop.most() == 0
    now = 203.0
    assert loop.silent() == 3.0


# -- labels --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_requests_of_any_client_add_no_label(server: None) -> None:
    client = Client(raise_request_exception=False)
    stranger = {"Authorization": "Bearer x"}
    for path in ("/nothing/", "/sessions/1/", '/"x"} 1/', "/media/none.webp", "/sessions/"):
        client.get(path, headers=stranger)
        client.generic("BREW", path)
    request_metrics.count_error("made_up")
    known = set(samples())
    for number in range(20):
        client.get(f"/nothing/{number}/")
        client.get(f"/sessions/{number + 2}/")
        client.get(f"/media/{number}.webp")
        client.generic(f"BREW{number}", f"/{number}")
        client.get("/sessions/", headers={"Authorization": f"Bearer {number}"})
        request_metrics.count_error(f"made_up_{number}")
    assert set(samples()) - known == set()
    assert not any(word in name for name in known for word in ("BREW", "made_up", '"x"'))


def test_every_error_of_the_code_is_a_known_label() -> None:
    known = request_metrics.known_codes()
    assert {"already_due", "invalid_credentials", "unavailable", "throttled"} <= known
    assert len(known) < 50


# -- the token -----------------------------------------------------------------------------------


async def scraped(*, path: str = "/metrics", method: str = "GET", given: str | None) -> Answer:
    headers = [] if given is None else [(b"authorization", given.encode())]
    return await ask(Metrics(no_rest), path, method=method, headers=headers)


RIGHT = f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("token", "given"),
    [
        *((TOKEN, given) for given in (None, "", "Bearer ", "Bearer t", f"Basic {TOKEN}", TOKEN)),
        *(("", given) for given in (None, "", "Bearer ", RIGHT)),
    ],
)
async def test_without_the_right_token_there_is_no_such_path(
    settings: Any, token: str, given: str | None
) -> None:
    settings.METRICS_TOKEN = token
    assert (await scraped(given=given)).status == 404


async def test_with_the_token_the_metrics_can_be_read_only(settings: Any, server: None) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = await scraped(given=RIGHT)
    assert answer.status == 200
    assert b"\nspace_ticks_sent_total " in answer.body
    assert (await scraped(method="POST", given=RIGHT)).status == 404
    assert (await scraped(path="/metrics/", given=RIGHT)).status == 404


# -- the listener --------------------------------------------------------------------------------


@pytest.fixture
def port() -> Iterator[tuple[int, dict[str, Any]]]:
    """A listener on a port that was free, and the health that it shows."""
    health: dict[str, Any] = {"well": True}
    families.register("timekeeper")
    with listener.listening("127.0.0.1", 0, lambda: (health["well"], {"age": 1})) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port, health
        server.shutdown()
    families.register("server")


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_listener_serves_metrics_and_health(port: tuple[int, dict[str, Any]]) -> None:
    number, health = port
    status, body = get(number, "/metrics")
    assert status == 200
    assert b"space_sessions_ended_total" in body
    assert get(number, "/healthz") == (200, b'{"status": "ok", "age": 1}')
    health["well"] = False
    status, body = get(number, "/healthz")
    assert (status, json.loads(body)["status"]) == (503, "not ok")
    assert get(number, "/sessions/")[0] == 404


def test_a_port_that_is_taken_is_logged_once_and_tried_again(
    port: tuple[int, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise SystemExit

    with caplog.at_level(logging.ERROR), pytest.raises(SystemExit):
        listener._serve("127.0.0.1", port[0], lambda: (True, {}), nap)
    assert len([line for line in caplog.messages if "cannot listen" in line]) == 1


@pytest.mark.parametrize(("name", "number"), [("MainProcess", 1), ("server-3", 3)])
def test_each_of_several_servers_has_a_port_of_its_own(
    monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    process = SimpleNamespace(name=name)
    monkeypatch.setattr("multiprocessing.current_process", lambda: process)
    assert listener.process_number() == number


def test_the_address_to_listen_on_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, read in (
        ("", None),
        ("127.0.0.1:9100", ("127.0.0.1", 9100)),
        ("[::1]:9100", ("::1", 9100)),
    ):
        monkeypatch.setenv("METRICS_LISTEN", text)
        assert address("METRICS_LISTEN", "") == read
