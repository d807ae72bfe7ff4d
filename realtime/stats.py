"""What this process has counted of its sockets since it started.

Plain numbers, written by the event loop alone where nothing else is said. They are read by the
line in the log when a server shuts down, by `/readyz` and by `ops/metrics`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from runtime.stats import Histogram


@dataclass(slots=True)
class Stats:
    """Counters that only rise."""

    # sockets
    sockets_opened: int = 0
    sockets_gone: int = 0
    sockets_admitted: int = 0
    admitted_gone: int = 0
    # ticks
    ticks_sent: int = 0
    ticks_skipped: int = 0  # their socket was backed up
    seconds_skipped: int = 0  # seconds of a session that an overrun of the loop swallowed
    slow_closed: int = 0  # sockets closed because their clients read too slowly
    # limits that clients exceeded
    floods: int = 0  # sockets that sent too many frames of any kind
    unauthenticated_closed: int = 0  # closed early, because too many did not authenticate
    connects_refused: int = 0  # a user's devices connected too often
    # reconciling with the database
    rounds: int = 0
    rounds_failed: int = 0
    rooms_healed: int = 0  # rooms (one user's sockets here) that were behind, each time
    changes_healed: int = 0  # changes that such rooms had missed
    rooms_reset: int = 0  # rooms that had missed too much, and load their lists again
    logins_healed: int = 0  # sockets of ended logins whose revocation had been lost
    joins_retried: int = 0  # groups that could not be joined at first
    clock_steps: int = 0  # steps of the database's clock, or of this machine's
    tasks_restarted: int = 0  # background tasks of the hub that had ended unexpectedly
    # the canary
    canaries_sent: int = 0
    canaries_returned: int = 0
    canaries_lost: int = 0  # did not return in time, or could not be sent
    times_redis_lost: int = 0
    connections_dropped: int = 0  # connections to Redis that were cut, to connect again
    # publishing: written by the publisher's thread
    published: int = 0
    publish_failed: int = 0  # messages whose round trip failed; some may have arrived all the same
    publish_retried: int = 0  # in round trips that failed, each time
    publish_too_old: int = 0
    publish_overflowed: int = 0  # the queue was full

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


stats = Stats()

# -- durations in seconds; each has one writer -----------------------------------------------------

# Upper bound of a tick's delay: from the start of its 10 ms slot to the end of its batch.
tick_lateness = Histogram(0.01, 0.0125, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
publish_delay = Histogram(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
canary_round_trip = Histogram(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)
reconcile_duration = Histogram(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

# -- by a name of a closed set; written by the event loop ------------------------------------------

closed: Counter[int] = Counter()  # by `Close`; `CLIENT_LEFT` where the server did not close
CLIENT_LEFT = 0
commands: Counter[tuple[str, str]] = Counter()  # by action, and `ok` or the code of the refusal
