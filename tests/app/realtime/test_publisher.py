"""Committed changes are published, and a Redis that is away delays nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.services import logins
from realtime.broker import channel_layer as groups
from realtime.broker import publisher as publisher_module
from realtime.broker.channel_layer import Message, channel_layer
from realtime.broker.publisher import Publisher
from realtime.stats import stats
from sessions_app import services
from sessions_app.events import SessionChanged, session_changed
from sessions_app.exceptions import NotFound
from sessions_app.ledger import Actor
from sessions_app.models import Session
from tests.support.devices import PASSWORD

PROMPTLY_S = 0.5  # far less than what a publisher is patient for


class Layer:
    """Records the messages to the groups, and fails or hangs as the test says."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.round_trips = 0
        self.fails = False
        self.fails_times = 0
        self.error: type[Exception] = ConnectionRefusedError
        self.hangs = threading.Event()
        self.hangs.set()  # not hanging

    async def send_all(self, messages: list[Message]) -> None:
        while not self.hangs.is_set():  # noqa: ASYNC110 -- another thread sets it
            await asyncio.sleep(0.005)
        if self.fails or self.fails_times:
            self.fails_times = max(0, self.fails_times - 1)
            raise self.error
        self.sent += messages
        self.round_trips += 1

    @property
    def numbers(self) -> list[int]:
        return [message["n"] for _, message in self.sent]


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> Layer:
    layer = Layer()
    monkeypatch.setattr(groups, "send_all", layer.send_all)
    return layer


@pytest.fixture
def publisher(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    made = Publisher()
    monkeypatch.setattr("atexit.register", lambda _: None)
    monkeypatch.setattr(publisher_module, "_publisher", made)
    yield made
    layer.hangs.set()
    assert made.flush()  # it must not speak into the next test


@pytest.fixture
def ada(transactional_db: None) -> Actor:
    return Actor(logins.sign_up("ada", "ada@example.com", PASSWORD).user_id, "Laptop")


# -- the queue -----------------------------------------------------------------------------------


def test_the_order_of_each_thread_is_kept(publisher: Publisher, layer: Layer) -> None:
    def put(user: int) -> None:
        for n in range(100):
            publisher.put(user, {"n": n})

    threads = [threading.Thread(target=put, args=[user]) for user in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert publisher.flush()
    for user in range(5):
        sent = [message["n"] for group, message in layer.sent if group == f"user.{user}"]
        assert sent == list(range(100))


def test_a_burst_costs_a_round_trip_for_each_hundred(publisher: Publisher, layer: Layer) -> None:
    layer.hangs.clear()
    publisher.put(0, {"n": 0})
    wait_until(lambda: not publisher._queue)  # it is on its way, alone
    for n in range(1, 250):
        publisher.put(n, {"n": n})
    layer.hangs.set()
    assert publisher.flush()
    assert layer.numbers == list(range(250))
    assert layer.round_trips == 4


async def test_a_group_receives_messages_in_order() -> None:
    channel = await channel_layer().new_channel()
    await groups.join([groups.of_user(1), groups.of_user(2)], channel)
    sent = [(groups.of_user(n % 3), {"n": n, "frame": "\u2603"}) for n in range(30)]
    await groups.send_all(sent)
    heard = [await channel_layer().receive(channel) for _ in range(20)]
    assert heard == [message for group, message in sent if group != "user.0"]
    await channel_layer().flush()


def test_putting_returns_at_once_while_redis_hangs(publisher: Publisher, layer: Layer) -> None:
    layer.hangs.clear()
    began = time.monotonic()
    for n in range(100):
        publisher.put(1, {"n": n})
    assert time.monotonic() - began < PROMPTLY_S
    assert not publisher.flush(0.05)
    layer.hangs.set()
    assert publisher.flush()
    assert layer.numbers == list(range(100))


def test_a_message_that_takes_too_long_is_dropped(
    publisher: Publisher, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "REDIS_TIMEOUT_S", 0.05)
    monkeypatch.setattr(publisher_module, "TOO_OLD_S", 0.1)
    layer.hangs.clear()
    publisher.put(1, {"n": 1})
    assert publisher.flush()
    layer.hangs.set()
    publisher.put(1, {"n": 2})
    assert publisher.flush()
    assert layer.numbers == [2]


@pytest.mark.parametrize(
    ("limit", "value", "kept"), [("LONGEST_QUEUE", 3, [7, 8, 9]), ("LARGEST_QUEUE", 250, [8, 9])]
)
def test_a_full_queue_loses_its_oldest_messages(
    publisher: Publisher,
    layer: Layer,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    kept: list[int],
) -> None:
    before = stats.publish_overflowed
    monkeypatch.setattr(publisher_module, limit, value)
    layer.hangs.clear()
    publisher.put(1, {"n": 0})
    wait_until(lambda: not publisher._queue)  # it is on its way
    for n in range(1, 10):
        publisher.put(1, {"n": n, "frame": "x" * 100})
    layer.hangs.set()
    assert publisher.flush()
    assert layer.numbers == [0, *kept]
    assert stats.publish_overflowed == before + 9 - len(kept)
    assert publisher._queued == 0


def test_a_message_on_a_stale_connection_is_sent_again_at_once(
    publisher: Publisher, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "RETRY_S", 3600)
    layer.fails_times = 1
    publisher.put(1, {"n": 1})
    assert publisher.flush()
    assert layer.numbers == [1]


def test_failed_messages_are_sent_again_before_newer_ones(
    publisher: Publisher, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "RETRY_S", 0.01)
    layer.fails_times = 6
    for n in range(250):
        publisher.put(1, {"n": n})
    assert publisher.flush()
    assert layer.numbers == list(range(250))


def test_a_message_that_cannot_be_encoded_is_not_sent_again(
    publisher: Publisher, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "MAX_BATCH", 1)
    layer.fails_times, layer.error = 1, TypeError
    publisher.put(1, {"n": 1})
    publisher.put(1, {"n": 2})
    assert publisher.flush()
    assert layer.numbers == [2]


def test_an_outage_of_redis_is_two_lines_in_the_log(
    publisher: Publisher,
    layer: Layer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(publisher_module, "TOO_OLD_S", 0.2)
    monkeypatch.setattr(publisher_module, "RETRY_S", 0.01)
    layer.fails = True
    for n in range(10):
        publisher.put(1, {"n": n})
    assert publisher.flush()
    layer.fails = False
    publisher.put(1, {"n": 10})
    assert publisher.flush()
    assert layer.numbers == [10]
    lines = [record.message for record in caplog.records]
    assert [line.split(",")[0] for line in lines] == ["cannot publish", "publishing again"]


# -- with the domain -----------------------------------------------------------------------------


def test_a_committed_change_is_published_to_the_group_of_its_user(
    publisher: Publisher, layer: Layer, ada: Actor
) -> None:
    session = services.create(by=ada, title="Write", duration=25)
    running = services.start(session.id, by=ada)
    assert publisher.flush()
    [(_, created), (group, started)] = layer.sent
    assert group == f"user.{ada.user_id}"
    assert [created["revision"], started["revision"]] == [1, 2]
    assert created["ends_at_ms"] is None
    assert running.timer.ends_at is not None
    assert started["ends_at_ms"] == round(running.timer.ends_at.timestamp() * 1000)


@pytest.mark.usefixtures("publisher")
def test_a_hanging_redis_neither_delays_a_change_nor_undoes_it(layer: Layer, ada: Actor) -> None:
    layer.hangs.clear()
    began = time.monotonic()
    session = services.create(by=ada, title="Write", duration=25)
    services.start(session.id, by=ada)
    assert time.monotonic() - began < PROMPTLY_S
    assert Session.objects.get(pk=session.id).status == "running"


def test_a_failing_receiver_undoes_nothing_and_stops_no_other(
    publisher: Publisher, layer: Layer, ada: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(change: SessionChanged, **_: Any) -> None:
        raise ZeroDivisionError

    session_changed.connect(broken)
    try:
        session = services.create(by=ada, title="Write", duration=25)
    finally:
        session_changed.disconnect(broken)
    assert publisher.flush()
    assert Session.objects.get(pk=session.id).status == "ready"
    assert len(layer.sent) == 1
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.usefixtures("publisher")
def test_a_refused_change_is_not_published(layer: Layer, ada: Actor) -> None:
    with pytest.raises(NotFound):
        services.start(1_000_000, by=ada)
    assert publisher_module._publisher.flush()
    assert layer.sent == []


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
