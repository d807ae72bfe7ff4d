"""The families of `/metrics`, read from the numbers that the process keeps anyway.

A counter or histogram has its name and meaning where it is counted; the gauges are here. They are
read by the thread that answers, so the parts that count are not delayed. The values of a label are
a closed set: none is a user, a session, an address, or any other data of a client.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Literal

from django.conf import settings
from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from accounts import security_log
from accounts.mail import queue
from ops.logs import problems
from ops.metrics.listener import process_number
from ops.metrics.loop_lag import lag
from ops.metrics.registry import REGISTRY
from realtime import stats
from realtime.broker import publisher
from realtime.clock import clock
from realtime.hub.background import Node
from realtime.hub.draining import is_draining
from realtime.protocol.close_codes import Close
from runtime.database.pool import pool_stats
from runtime.stats import Histogram, LabelledCounter
from sessions_app.stats import Stats
from sessions_app.stats import stats as domain
from web import request_metrics

Role = Literal["server", "timekeeper"]
TITLES: dict[str, Role | None] = {
    "Servers": "server",
    "Timekeepers": "timekeeper",
    "Both": None,
}
PAUSE_S = 0.000_05


class Yielding(Collector):
    """Another collector, with a pause after each family for the event loop: it would otherwise wait
    5 ms, each time that it asks, for a thread that only computes.
    """

    def __init__(self, collector: Collector) -> None:
        self.collector = collector

    def collect(self) -> Iterator[Metric]:
        for family in self.collector.collect():
            yield family
            time.sleep(PAUSE_S)


class Space(Collector):
    """The families of one process, by its role."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def collect(self) -> Iterator[Metric]:
        labels = {
            "role": self.role,
            "process": str(process_number()),
            "version": str(settings.SPECTACULAR_SETTINGS["VERSION"]),
            "python": ".".join(map(str, sys.version_info[:3])),
        }
        info = GaugeMetricFamily("space_info", "Which process this is; always 1.", labels=[*labels])
        info.add_metric([*labels.values()], 1)
        yield info
        yield from _timekeeper() if self.role == "timekeeper" else _server()
        yield from _publishing()
        yield from _database()
        yield _labelled(security_log.counts)
        yield _labelled(queue.counts)
        yield _gauge("space_mails_waiting", "Mails that wait in the queue.", queue.waiting())
        yield _labelled(domain.pictures)
        yield _labelled(problems)


def _server() -> Iterator[Metric]:
    yield from _sockets()
    yield from _counters(stats.stats, "ticks_sent", "ticks_skipped", "seconds_skipped")
    yield _histogram(stats.tick_lateness)
    yield from _redis()
    yield from _reconciling()
    yield from _loop()
    yield from _threads()


# -- of a server ---------------------------------------------------------------------------------


def _sockets() -> Iterator[Metric]:
    now, nodes = stats.stats, Node.all()
    yield _gauge("space_sockets", "Open sockets.", max(0, now.sockets_opened - now.sockets_gone))
    yield _gauge(
        "space_sockets_authenticated",
        "Open sockets that are authenticated.",
        max(0, now.sockets_admitted - now.admitted_gone),
    )
    yield _gauge(
        "space_users_connected",
        "Users with a socket in this process.",
        sum(len(node.hub.rooms) for node in nodes),
    )
    yield _gauge(
        "space_sessions_ticking",
        "Running sessions with a socket in this process.",
        sum(node.hub.ticker.following for node in nodes),
    )
    yield from _counters(now, "sockets_opened")
    names = {stats.CLIENT_LEFT: "client", **{int(code): str(int(code)) for code in Close}}
    closed = dict(stats.closed)
    yield _by(
        "space_sockets_closed",
        "Sockets that were closed, by our code; `client`: not by us.",
        "code",
        {name: closed.get(code, 0) for code, name in names.items()},
    )
    commands = CounterMetricFamily(
        "space_socket_commands",
        "Commands over sockets, by action and result: `ok`, or the code of the refusal.",
        labels=["action", "result"],
    )
    for labels, count in dict(stats.commands).items():
        commands.add_metric(labels, count)
    yield commands
    yield from _counters(now, "slow_closed", "floods", "unauthenticated_closed", "connects_refused")
    yield _gauge("space_draining", "1 while this process shuts down.", int(is_draining()))


def _redis() -> Iterator[Metric]:
    now = stats.stats
    yield _by(
        "space_canaries",
        "Pings that this process sent to itself through Redis.",
        "result",
        {"heard": now.canaries_returned, "lost": now.canaries_lost},
    )
    yield _histogram(stats.canary_round_trip)
    yield _gauge(
        "space_deaf_seconds",
        "For how long this process has received nothing from Redis; 0 if it receives.",
        max([0.0, *(node.canary.lost_for_s() for node in Node.all())]),
    )
    yield from _counters(now, "times_redis_lost", "connections_dropped", "joins_retried")


def _reconciling() -> Iterator[Metric]:
    now = stats.stats
    yield from _counters(now, "rounds", "rounds_failed")
    yield _histogram(stats.reconcile_duration)
    yield from _counters(now, "rooms_healed", "changes_healed", "logins_healed", "rooms_reset")
    yield from _counters(now, "tasks_restarted", "clock_steps")
    yield _gauge(
        "space_clock_offset_seconds",
        "The database's clock less this machine's, once it was measured.",
        clock.now_ms() / 1000 - time.time() if clock.is_measured else None,
    )


def _loop() -> Iterator[Metric]:
    yield _histogram(lag.times)
    yield _gauge("space_loop_lag_max_seconds", "The latest of the last 30 to 60 s.", lag.most())
    yield _gauge(
        "space_loop_silent_seconds",
        "Since the event loop called that timer: much more than 0.25 means that it is blocked.",
        lag.silent(),
    )


def _threads() -> Iterator[Metric]:
    from server.asgi.django_handler import groups  # late: it loads Django's handler

    for name, meaning, number in (
        ("space_rest_threads", "Threads for requests.", "slots"),
        ("space_rest_at_work", "Requests in a thread.", "in_use"),
        ("space_rest_in_line", "Requests that wait.", "waiting"),
    ):
        family = GaugeMetricFamily(name, meaning, labels=["group"])
        for label, group in groups.items():
            family.add_metric([label], getattr(group.semaphore, number))
        yield family


# -- of a timekeeper -----------------------------------------------------------------------------


def _timekeeper() -> Iterator[Metric]:
    yield from _counters(domain, "ended")
    yield _histogram(domain.end_lateness)
    yield from _counters(domain, "reminded", "rounds", "rounds_failed")
    yield _histogram(domain.round_duration)
    yield from _counters(domain, "put_aside")
    yield _gauge(
        "space_timekeeper_last_round_age_seconds",
        "Since a round that did not fail.",
        domain.seconds_since_round(),
    )


# -- of both -------------------------------------------------------------------------------------


def _publishing() -> Iterator[Metric]:
    now = stats.stats
    yield from _counters(now, "published")
    yield _by(
        "space_messages_not_published",
        "Messages that Redis did not take: reconciling delivers their changes.",
        "reason",
        {
            "failed": now.publish_failed,
            "too_old": now.publish_too_old,
            "overflow": now.publish_overflowed,
        },
    )
    yield from _counters(now, "publish_retried")
    yield _histogram(stats.publish_delay)
    yield _gauge("space_publish_queue", "Messages that wait for Redis.", publisher.waiting())


def _database() -> Iterator[Metric]:
    counted = pool_stats()

    def stat(key: str) -> int | None:
        return None if counted is None else counted.get(key, 0)  # the pool leaves out zeros

    size, idle = stat("pool_size"), stat("pool_available")
    connections = GaugeMetricFamily(
        "space_db_pool_connections", "Connections to PostgreSQL.", labels=["state"]
    )
    if size is not None and idle is not None:
        connections.add_metric(["in_use"], max(0, size - idle))
        connections.add_metric(["idle"], idle)
    yield connections
    yield _gauge("space_db_pool_max", "The most there may be.", stat("pool_max"))
    yield _gauge(
        "space_db_pool_waiting", "Requests that wait for one now.", stat("requests_waiting")
    )
    for name, meaning, key in (
        ("space_db_pool_requests", "Times that one was asked for.", "requests_num"),
        ("space_db_pool_waits", "Times that one had to be waited for.", "requests_queued"),
        ("space_db_pool_timeouts", "Times that none came in time.", "requests_errors"),
        ("space_db_connect_failures", "Connections that could not be made.", "connections_errors"),
        ("space_db_connections_lost", "Connections found broken.", "connections_lost"),
    ):
        yield CounterMetricFamily(name, meaning, value=stat(key))
    waited_ms = stat("requests_wait_ms")
    yield CounterMetricFamily(
        "space_db_pool_wait_seconds",
        "How long all of them waited.",
        value=None if waited_ms is None else waited_ms / 1000,
    )


# -- shapes --------------------------------------------------------------------------------------


# None: the value is not known yet. The family is there all the same, so the list is always whole.


def _counters(of: Stats | stats.Stats, *names: str) -> Iterator[Metric]:
    """The families of these fields."""
    shown = _metadata(type(of))  # type: ignore[arg-type]  # a dataclass is hashable
    for name in names:
        yield CounterMetricFamily(
            shown[name]["metric"], shown[name]["meaning"], value=getattr(of, name)
        )


@cache
def _metadata(kind: type[Stats | stats.Stats]) -> dict[str, Mapping[str, str]]:
    return {field.name: field.metadata for field in fields(kind)}


def _gauge(name: str, meaning: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _by(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _labelled(counts: LabelledCounter) -> Metric:
    return _by(counts.metric, counts.meaning, counts.label, counts.as_dict())


def _histogram(times: Histogram) -> Metric:
    as_text: Callable[[float], str] = floatToGoString
    buckets = [(as_text(bound), count) for bound, count in times.as_dict().items()]
    return HistogramMetricFamily(
        times.metric, times.meaning, buckets=buckets, sum_value=times.total
    )


def table(role: Role | None) -> str:
    """The table of docs/operations.md: the families of this role only; None: of both."""
    one, other = ({m.name: m for m in all_of(each)} for each in (role or "server", _other(role)))
    rows = [
        f"| `{m.name}{'_total' if m.type == 'counter' else ''}` | {m.type} | {m.documentation} |\n"
        for name, m in one.items()
        if (name in other) == (role is None)
    ]
    return f"| metric | kind | meaning |\n|---|---|---|\n{''.join(rows)}"


def _other(role: Role | None) -> Role:
    return "server" if role == "timekeeper" else "timekeeper"


def all_of(role: Role) -> Iterator[Metric]:
    yield from Space(role).collect()
    if role == "server":
        for family in request_metrics.FAMILIES:
            yield from family.collect()


_registered: list[Collector] = []


def register(role: Role) -> None:
    """Fills the registry for a process of this role, in the place of another role."""
    while _registered:
        REGISTRY.unregister(_registered.pop())
    collectors: list[Collector] = [Space(role), ProcessCollector(registry=None)]
    if role == "server":
        collectors += request_metrics.FAMILIES
    for collector in collectors:
        _registered.append(Yielding(collector))
        REGISTRY.register(_registered[-1])
