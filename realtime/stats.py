"""Counters and durations of the transport in this process, since it started.

Plain numbers, written by the event loop alone where nothing else is said. They are read by the
line in the log when a server shuts down, by `/readyz` and by `ops/metrics`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from runtime.stats import Histogram, counter


@dataclass(slots=True)
class Stats:
    """Counters that only rise."""

    # sockets
    sockets_opened: int = counter("space_sockets_opened", "Sockets that were accepted.")
    sockets_gone: int = 0
    sockets_admitted: int = 0
    admitted_gone: int = 0
    # ticks
    ticks_sent: int = counter("space_ticks_sent", "Ticks that were written to sockets.")
    ticks_skipped: int = counter(
        "space_ticks_skipped", "Ticks that were not sent: the socket was full."
    )
    seconds_skipped: int = counter(
        "space_skipped_seconds", "Seconds of sessions without a tick: the event loop was too late."
    )
    slow_closed: int = counter(
        "space_sockets_too_slow", "Sockets closed because their client read slowly."
    )
    # limits that clients exceeded
    floods: int = counter("space_socket_floods", "Sockets that sent too many frames of any kind.")
    unauthenticated_closed: int = counter(
        "space_strangers_closed", "Sockets closed early: too many did not authenticate."
    )
    connects_refused: int = counter(
        "space_comings_refused", "Sockets of users whose devices connected too often."
    )
    # reconciling with the database
    rounds: int = counter(
        "space_reconcile_rounds", "Rounds that asked the database for missed changes."
    )
    rounds_failed: int = counter("space_reconcile_rounds_failed", "Those that failed.")
    rooms_healed: int = counter(
        "space_healed_rooms",
        "Rooms (one user's sockets here) that had missed changes, and got them.",
    )
    changes_healed: int = counter("space_healed_changes", "Changes that such rooms had missed.")
    rooms_reset: int = counter(
        "space_reset_rooms", "Rooms that missed too much: their devices load all again."
    )
    logins_healed: int = counter(
        "space_healed_logins", "Sockets of ended logins whose revocation was lost."
    )
    joins_retried: int = counter(
        "space_group_joins_retried", "Groups that could not be joined at first."
    )
    clock_steps: int = counter("space_clock_steps", "Steps of the database's clock, or this one's.")
    tasks_restarted: int = counter(
        "space_tasks_renewed", "Background tasks that had ended unexpectedly."
    )
    # the canary
    canaries_sent: int = 0
    canaries_returned: int = 0
    canaries_lost: int = 0  # did not return in time, or could not be sent
    times_redis_lost: int = counter("space_deaf", "How often this process lost Redis.")
    connections_dropped: int = counter(
        "space_redis_connections_dropped",
        "Connections to Redis that were cut to connect again.",
    )
    # publishing: written by the publisher's thread
    published: int = counter("space_messages_published", "Messages taken by Redis.")
    publish_failed: int = 0  # messages whose round trip failed; some may have arrived all the same
    publish_retried: int = counter("space_messages_retried", "Messages in round trips that failed.")
    publish_too_old: int = 0
    publish_overflowed: int = 0  # the queue was full

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


stats = Stats()

# -- durations in seconds; each has one writer -----------------------------------------------------

tick_lateness = Histogram(
    "space_tick_lateness_seconds",
    "Upper bound of a tick's delay: from the start of its 10 ms slot to the end of its batch of 250"
    " sockets.",
    *(0.01, 0.0125, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
publish_delay = Histogram(
    "space_publish_delay_seconds",
    "From a commit to the answer of Redis, of messages that it took.",
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
canary_round_trip = Histogram(
    "space_canary_round_trip_seconds",
    "From a ping of the canary to its echo: how fast messages travel.",
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2),
)
reconcile_duration = Histogram(
    "space_reconcile_duration_seconds",
    "Duration of a round, with its healing.",
    *(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

# -- by a name of a closed set; written by the event loop ------------------------------------------

closed: Counter[int] = Counter()  # by `Close`; `CLIENT_LEFT` where the server did not close
CLIENT_LEFT = 0
commands: Counter[tuple[str, str]] = Counter()  # by action, and `ok` or the code of the refusal
