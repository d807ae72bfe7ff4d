"""A process that has lost Redis notices, logs it, and recovers."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings
from redis.exceptions import ConnectionError as RedisConnectionError

from benchmarks.device import device
from realtime.broker import canary, channel_layer
from realtime.broker.canary import Canary
from realtime.broker.connection import Connection, ListeningFixes, SSLConnection, hosts
from realtime.hub import reconcile
from realtime.hub.background import Node
from realtime.stats import stats
from server.asgi import health
from tests.support.devices import Person, until
from tests.support.half_open import Way, way_to
from tests.support.live_server import close_layer

# -- the rules -----------------------------------------------------------------------------------


@dataclass
class Redis:
    """Carries the ping, or loses it, or is away. Time passes only by `now_s`."""

    hears: bool = True
    is_away: bool = False
    now_s: float = 1000.0
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.canary = Canary(
            self.publish,
            resubscribe=lambda: self.done.append("resubscribe"),
            on_recovered=lambda: self.done.append("recovered"),
            now=lambda: self.now_s,
        )

    async def publish(self) -> None:
        if self.is_away:
            raise RedisConnectionError("refused")
        if self.hears:
            self.canary.on_echo()

    async def is_pinged(self, times: int) -> None:
        for _ in range(times):
            await self.canary.ping()
            self.now_s += 5


@pytest.fixture
async def redis(monkeypatch: pytest.MonkeyPatch) -> Redis:
    monkeypatch.setattr(canary, "ECHO_WITHIN_S", 0.01)
    return Redis()


async def test_a_process_whose_pings_return_has_not_lost_redis(redis: Redis) -> None:
    before = stats.as_dict()
    await redis.is_pinged(3)
    assert (redis.done, redis.canary.lost_for_s()) == ([], 0)
    risen = {name: count - before[name] for name, count in stats.as_dict().items()}
    assert (risen["canaries_sent"], risen["canaries_returned"], risen["canaries_lost"]) == (3, 3, 0)


async def test_one_lost_ping_changes_nothing(redis: Redis) -> None:
    for hears in (True, False, True, False, True):
        redis.hears = hears
        await redis.is_pinged(1)
    assert redis.done == []


@pytest.mark.parametrize("away", [False, True], ids=["silent", "away"])
async def test_two_lost_pings_in_a_row_mean_that_redis_is_lost(
    redis: Redis, away: bool, caplog: pytest.LogCaptureFixture
) -> None:
    before = stats.times_redis_lost
    await redis.is_pinged(1)
    redis.hears, redis.is_away = False, away
    await redis.is_pinged(2)
    assert (redis.done, redis.canary.lost_for_s()) == (["resubscribe"], 15)
    await redis.is_pinged(2)  # each time again
    assert (redis.done, redis.canary.lost_for_s()) == (["resubscribe"] * 3, 25)
    redis.hears, redis.is_away = True, False
    await redis.is_pinged(1)
    assert (redis.done[3:], redis.canary.lost_for_s()) == (["recovered"], 0)
    assert stats.times_redis_lost == before + 1
    said = [record.message for record in caplog.records]
    assert len(said) == 2  # one for the loss, one for the recovery
    assert "receives nothing" in said[0]
    assert "receives from Redis again" in said[1]


async def test_a_new_connection_is_given_its_time(redis: Redis) -> None:
    redis.hears = False
    await redis.is_pinged(2)
    redis.now_s -= 4.5
    await redis.canary.ping()
    assert redis.done == ["resubscribe"]


async def test_a_late_echo_counts(redis: Redis) -> None:
    redis.hears = False
    await redis.is_pinged(2)
    redis.canary.on_echo()
    assert redis.done == ["resubscribe", "recovered"]


# -- with a real Redis behind a way that breaks --------------------------------------------------


@pytest.fixture
async def way(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Way]:
    """The proxy through which the hub receives from Redis; the publisher does not use it."""
    monkeypatch.setattr(canary, "PING_INTERVAL_S", 0.2)
    monkeypatch.setattr(canary, "PING_INTERVAL_LOST_S", 0.1)
    monkeypatch.setattr(canary, "ECHO_WITHIN_S", 0.4)
    redis = urlsplit(settings.REDIS_URL)
    user, at, _ = redis.netloc.rpartition("@")
    async with way_to(redis.hostname or "localhost", redis.port or 6379) as way:
        url = redis._replace(netloc=f"{user}{at}127.0.0.1:{way.port}").geturl()
        config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
        layer = RedisPubSubChannelLayer(**config | {"hosts": hosts(url)})
        loop, direct = asyncio.get_running_loop(), channel_layer.channel_layer
        monkeypatch.setattr(
            channel_layer,
            "channel_layer",  # the publisher has a loop of its own
            lambda: layer if asyncio.get_running_loop() is loop else direct(),
        )
        yield way
        await close_layer(layer)


async def test_a_half_open_connection_is_replaced_and_missed_changes_are_sent_at_once(
    way: Way, ada: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with device(ada.account) as laptop:
        await ada.has_session("Heard")
        await laptop.heard_type("session.state", revision=1)
        rounds = stats.rounds
        await until(lambda: stats.rounds > rounds)
        monkeypatch.setattr(
            reconcile, "ROUND_INTERVAL_S", 3600
        )  # from here on there is a round only on request
        rounds = stats.rounds
        await until(lambda: stats.rounds > rounds)
        way.goes_nowhere()
        await ada.has_session("Missed")
        await until(lambda: Node.here().canary.lost_redis)
        await laptop.heard_type("session.state", revision=2)
        await until(lambda: not Node.here().canary.lost_redis)
        await ada.has_session("Heard again")
        await laptop.heard_type("session.state", revision=3)
    assert "receives nothing from Redis" in caplog.text


async def test_a_reconnection_starts_a_round_at_once(
    way: Way, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with device(ada.account):
        monkeypatch.setattr(reconcile, "ROUND_INTERVAL_S", 3600)
        rounds = stats.rounds
        await until(lambda: stats.rounds > rounds)
        rounds = stats.rounds
        channel_layer.resubscribe()  # as when Redis cuts it: CLIENT KILL, or a restart
        await until(lambda: stats.rounds > rounds + 1)  # and once more, for what was on its way


async def test_a_process_that_lost_redis_for_long_is_not_ready(
    way: Way, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DEAF_TOO_LONG_S", 0.3)
    async with ada.account.http() as http:
        well = await http.get("/readyz")
        assert (well.status_code, well.json()["hears"], well.json()["deaf_s"]) == (200, True, 0)
        with monkeypatch.context() as nothing_helps:
            nothing_helps.setattr(Node.here().canary, "_resubscribe", lambda: None)
            way.goes_nowhere()
            await until(lambda: Node.here().canary.lost_for_s() > 0.3)
            lost = await http.get("/readyz")
        assert (lost.status_code, lost.json()["hears"], lost.json()["redis"]) == (503, False, True)
        assert lost.json()["deaf_s"] >= 0.3
        channel_layer.resubscribe()


async def test_a_connection_that_the_kernel_gave_up_is_replaced_and_the_loop_goes_on(
    way: Way, ada: Person
) -> None:
    """redis-py takes ETIMEDOUT for "no news yet", and the layer would ask again for ever."""
    async with device(ada.account) as laptop:
        connection = channel_layer.channel_layer()._shards[0]._pubsub.connection
        connection._reader.set_exception(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))
        await until(lambda: connection._reader and not connection._reader.exception())
        await ada.has_session()
        await laptop.heard_type("session.state", revision=1)


async def test_the_loop_goes_on_while_many_responses_are_read() -> None:
    class AllHasCome:
        async def read_response(self) -> bytes:
            return b"news"

    class Listening(ListeningFixes, AllHasCome):
        _reader = None

    connection, turns, loop = Listening(), 0, asyncio.get_running_loop()

    def turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(turn)

    loop.call_soon(turn)
    for _ in range(500):
        assert await connection.read_response() == b"news"
    assert turns >= 10


async def test_a_dead_listening_task_is_started_again(way: Way, ada: Person) -> None:
    async with device(ada.account) as laptop:
        task = channel_layer.channel_layer()._shards[0]._receive_task
        times_before = stats.times_redis_lost
        task.cancel()
        # (Redis may be lost for a millisecond only, too short to be seen.)
        await until(lambda: stats.times_redis_lost > times_before)
        await until(lambda: not Node.here().canary.lost_redis)
        await ada.has_session()
        await laptop.heard_type("session.state", revision=1)


@pytest.mark.parametrize(
    ("url", "kind"), [("redis://a:1/2", Connection), ("rediss://u:p@a:1/2", SSLConnection)]
)
def test_a_url_says_which_connection_and_where(url: str, kind: type) -> None:
    (host,) = hosts(url)
    assert (host["connection_class"], host["host"], host["port"], host["db"]) == (kind, "a", 1, 2)
    assert host["socket_connect_timeout"] == 2
