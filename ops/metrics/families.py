"""What is told, family by family, from the plain numbers that the process keeps anyway.

Read when somebody asks, on that one's thread; whoever writes the numbers notices nothing. A label's
values are a closed set: none is a user, a session, an address, or anything that a client has sent.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
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
from runtime.stats import Histogram
from sessions_app.stats import stats as domain
from web import request_metrics

Role = Literal["server", "timekeeper"]
TITLES: dict[str, Role | None] = {
    "Servers": "server",
    "Timekeepers": "timekeeper",
    "Both": None,
}


BREATH_S = 0.000_05


class Breathing(Collector):
    """Another one, family by family. After each of them the event loop may do something: a thread
    that only computes would let it wait for 5 ms, each time that it asks.
    """

    def __init__(self, collector: Collector) -> None:
        self.collector = collector

    def collect(self) -> Iterator[Metric]:
        for family in self.collector.collect():
            yield family
            time.sleep(BREATH_S)


class Space(Collector):
    """Of one process, by what it does."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def collect(self) -> Iterator[Metric]:
        version = settings.SPECTACULAR_SETTINGS["VERSION"]
        python = ".".join(map(str, sys.version_info[:3]))
        who: dict[str, str] = {
            "role": self.role,
            "process": str(process_number()),
            "version": str(version),
            "python": python,
        }
        info = GaugeMetricFamily("space_info", "Which process this is; always 1.", labels=[*who])
        info.add_metric([*who.values()], 1)
        yield info
        yield from _ends() if self.role == "timekeeper" else _server()
        yield from _publishing()
        yield from _database()
        yield from _accounts()
        yield _by(
            "space_log_lines",
            "Lines of the log that say what is wrong, by level, also those left out of it.",
            "level",
            problems.as_dict(),
        )


def _server() -> Iterator[Metric]:
    yield from _sockets()
    yield from _ticks()
    yield from _news()
    yield from _loop()
    yield from _lines()


# -- of a server ---------------------------------------------------------------------------------


def _sockets() -> Iterator[Metric]:
    now, nodes = stats.stats, Node.all()
    opened, gone, admitted = now.sockets_opened, now.sockets_gone, now.sockets_admitted
    yield _gauge("space_sockets", "Open sockets.", max(0, opened - gone))
    yield _gauge(
        "space_sockets_authenticated",
        "Open sockets of which it is known whose they are.",
        max(0, admitted - now.admitted_gone),
    )
    yield _gauge(
        "space_users_connected",
        "Users with a socket in this process.",
        sum(len(node.hub.rooms) for node in nodes),
    )
    yield _gauge(
        "space_sessions_ticking",
        "Running sessions that somebody here watches.",
        sum(node.hub.ticker.following for node in nodes),
    )
    yield _counter("space_sockets_opened", "Sockets that were accepted.", opened)
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
    yield _counter(
        "space_sockets_too_slow", "Sockets that were closed: they read slowly.", now.slow_closed
    )
    yield _counter(
        "space_socket_floods", "Sockets that sent more frames than any needs.", now.floods
    )
    yield _counter(
        "space_strangers_closed",
        "Sockets that made room before they said whose they are.",
        now.unauthenticated_closed,
    )
    yield _counter(
        "space_comings_refused", "Sockets of users who came in too often.", now.connects_refused
    )
    yield _gauge("space_draining", "1 while this process is going down.", int(is_draining()))


def _ticks() -> Iterator[Metric]:
    now = stats.stats
    yield _counter("space_ticks_sent", "Ticks that were written to sockets.", now.ticks_sent)
    yield _counter(
        "space_ticks_skipped", "Ticks that were not sent: the socket was full.", now.ticks_skipped
    )
    yield _counter(
        "space_skipped_seconds",
        "Seconds of sessions that nobody was told: the loop came too late.",
        now.seconds_skipped,
    )
    yield _histogram(
        "space_tick_lateness_seconds",
        "How late ticks left, at most: from the first instant of their 10 ms slot to the end of the"
        " breath of 250 sockets that they left in.",
        stats.tick_lateness,
    )


def _news() -> Iterator[Metric]:
    now, nodes = stats.stats, Node.all()
    yield _by(
        "space_canaries",
        "Words that this process sent to itself through Redis.",
        "result",
        {"heard": now.canaries_returned, "lost": now.canaries_lost},
    )
    yield _histogram(
        "space_canary_round_trip_seconds",
        "From such a word's leaving to its being heard: how fast news travel.",
        stats.canary_round_trip,
    )
    yield _gauge(
        "space_deaf_seconds",
        "For how long this process has not heard Redis; 0 if it does.",
        max([0.0, *(node.canary.lost_for_s() for node in nodes)]),
    )
    yield _counter(
        "space_deaf", "How often it found that it does not hear Redis.", now.times_redis_lost
    )
    yield _counter(
        "space_redis_connections_dropped",
        "Connections to Redis cut in the hope of hearing by the next.",
        now.connections_dropped,
    )
    yield _counter(
        "space_group_joins_retried", "Groups that could not be joined at first.", now.joins_retried
    )
    yield _counter("space_reconcile_rounds", "Questions for what was missed.", now.rounds)
    yield _counter("space_reconcile_rounds_failed", "Those that failed.", now.rounds_failed)
    yield _histogram(
        "space_reconcile_duration_seconds",
        "How long a round took, with what it healed.",
        stats.reconcile_duration,
    )
    yield _counter(
        "space_healed_rooms",
        "Divergences: a user's devices here had missed something, and were told.",
        now.rooms_healed,
    )
    yield _counter(
        "space_healed_changes", "Changes that such devices had missed.", now.changes_healed
    )
    yield _counter(
        "space_healed_logins",
        "Sockets whose login had ended without their hearing of it.",
        now.logins_healed,
    )
    yield _counter(
        "space_reset_rooms", "Of the healed: missed too much, and load afresh.", now.rooms_reset
    )
    yield _counter(
        "space_tasks_renewed",
        "Tasks of the process that had ended, which none should.",
        now.tasks_restarted,
    )
    yield _counter(
        "space_clock_steps", "Steps of the database's clock, or this one's.", now.clock_steps
    )
    yield _gauge(
        "space_clock_offset_seconds",
        "The database's clock less this machine's, once it was measured.",
        clock.now_ms() / 1000 - time.time() if clock.is_measured else None,
    )


def _loop() -> Iterator[Metric]:
    yield _histogram(
        "space_loop_lag_seconds",
        "How late the event loop came to a timer, four times a second.",
        lag.times,
    )
    yield _gauge("space_loop_lag_max_seconds", "The latest of the last 30 to 60 s.", lag.most())
    yield _gauge(
        "space_loop_silent_seconds",
        "Since the event loop came to that timer: much more than 0.25 means that it stands.",
        lag.silent(),
    )


def _lines() -> Iterator[Metric]:
    from server.asgi.django_handler import (
        groups,  # it belongs to Django's handler, which is loaded late
    )

    threads = GaugeMetricFamily("space_rest_threads", "Threads for requests.", labels=["group"])
    working = GaugeMetricFamily("space_rest_at_work", "Requests in a thread.", labels=["group"])
    waiting = GaugeMetricFamily("space_rest_in_line", "Requests that wait.", labels=["group"])
    for name, group in groups.items():
        threads.add_metric([name], group.semaphore.slots)
        working.add_metric([name], group.semaphore.in_use)
        waiting.add_metric([name], group.semaphore.waiting)
    yield from (threads, working, waiting)


# -- of a timekeeper -----------------------------------------------------------------------------


def _ends() -> Iterator[Metric]:
    yield _counter("space_sessions_ended", "Sessions ended at their deadline.", domain.ended)
    yield _histogram(
        "space_end_lateness_seconds",
        "From a deadline to the clock that decided the end.",
        domain.end_lateness,
    )
    yield _counter("space_reminders_sent", "Reminders announced.", domain.reminded)
    yield _counter("space_timekeeper_rounds", "Looks at what is due.", domain.rounds)
    yield _counter("space_timekeeper_rounds_failed", "Those that failed.", domain.rounds_failed)
    yield _histogram(
        "space_timekeeper_round_duration_seconds", "How long one took.", domain.round_duration
    )
    yield _counter(
        "space_sessions_put_aside",
        "Sessions that could not be ended, each time; tried again after a minute.",
        domain.put_aside,
    )
    yield _gauge(
        "space_timekeeper_last_round_age_seconds",
        "Since a round that did not fail.",
        domain.seconds_since_round(),
    )


# -- of both -------------------------------------------------------------------------------------


def _publishing() -> Iterator[Metric]:
    now = stats.stats
    yield _counter("space_messages_published", "Messages taken by Redis.", now.published)
    yield _by(
        "space_messages_not_published",
        "Messages that Redis did not take: their devices hear by reconciling.",
        "reason",
        {
            "failed": now.publish_failed,
            "too_old": now.publish_too_old,
            "overflow": now.publish_overflowed,
        },
    )
    yield _counter(
        "space_messages_retried", "Messages in round trips that failed.", now.publish_retried
    )
    yield _histogram(
        "space_publish_delay_seconds",
        "From a commit to Redis' answer, of messages that it took.",
        stats.publish_delay,
    )
    yield _gauge("space_publish_queue", "Messages that wait for Redis.", publisher.waiting())


def _database() -> Iterator[Metric]:
    counted = pool_stats()

    def stat(key: str) -> int | None:
        return None if counted is None else counted.get(key, 0)  # it leaves out what is 0

    size, idle = stat("pool_size"), stat("pool_available")
    connections = GaugeMetricFamily(
        "space_db_pool_connections", "Connections to PostgreSQL.", labels=["state"]
    )
    if size is not None and idle is not None:
        connections.add_metric(["in_use"], max(0, size - idle))
        connections.add_metric(["idle"], idle)
    yield connections
    yield _gauge("space_db_pool_max", "The most there may be.", stat("pool_max"))
    yield _gauge("space_db_pool_waiting", "Who waits for one now.", stat("requests_waiting"))
    for name, meaning, key in (
        ("space_db_pool_requests", "Times that one was asked for.", "requests_num"),
        ("space_db_pool_waits", "Times that one had to be waited for.", "requests_queued"),
        ("space_db_pool_timeouts", "Times that none came in time.", "requests_errors"),
        ("space_db_connect_failures", "Connections that could not be made.", "connections_errors"),
        ("space_db_connections_lost", "Connections found broken.", "connections_lost"),
    ):
        yield _counter(name, meaning, stat(key))
    waited_ms = stat("requests_wait_ms")
    yield _counter(
        "space_db_pool_wait_seconds",
        "How long all of them waited.",
        None if waited_ms is None else waited_ms / 1000,
    )


def _accounts() -> Iterator[Metric]:
    yield _by(
        "space_account_events",
        "What is noted of accounts and limits (`space.security` in the log).",
        "event",
        security_log.counts.as_dict(),
    )
    yield _by(
        "space_mails",
        "What was to be mailed: `done`, `failed`, or `dropped` where too many waited.",
        "result",
        queue.counts.as_dict(),
    )
    yield _gauge("space_mails_waiting", "What waits to be mailed.", queue.waiting())
    yield _by(
        "space_pictures",
        "Pictures: `decoded`, `refused` by the decoder, or `busy` where none was free in time.",
        "result",
        domain.pictures.as_dict(),
    )


# -- shapes --------------------------------------------------------------------------------------


# None: it is not known yet. The family is there all the same, so that the list is always whole.


def _counter(name: str, meaning: str, value: float | None) -> Metric:
    return CounterMetricFamily(name, meaning, value=value)


def _gauge(name: str, meaning: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _by(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _histogram(name: str, meaning: str, times: Histogram) -> Metric:
    as_text: Callable[[float], str] = floatToGoString
    buckets = [(as_text(bound), count) for bound, count in times.as_dict().items()]
    return HistogramMetricFamily(name, meaning, buckets=buckets, sum_value=times.total)


def table(role: Role | None) -> str:
    """The table of docs/operations.md: what only this role tells; None: what both tell."""
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
        _registered.append(Breathing(collector))
        REGISTRY.register(_registered[-1])
