"""What this process has counted since it started: plain numbers, written by its event loop only.

`tally.as_dict()` is for whoever shows them: the line in the log when a server goes down, and
whatever exports metrics. A number that rises says that something was wrong and was put right,
except for those that say how much was done.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from runtime.stats import Buckets


@dataclass(slots=True)
class Tally:
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
    slow_closed: int = 0  # sockets that were closed because they read too slowly
    # what hostile clients do
    floods: int = 0  # sockets that sent more frames, of any kind, than anybody needs
    strangers_closed: int = 0  # had not said who they are when there were too many of them
    comings_refused: int = 0  # a user's devices came in too often
    # reconciling with the database
    rounds: int = 0
    rounds_failed: int = 0
    rooms_healed: int = 0  # a room (one user's sockets here) that was behind, each time
    changes_healed: int = 0  # changes that such a room had not heard of
    rooms_reset: int = 0  # of the healed ones: had missed too much, and load their lists afresh
    logins_healed: int = 0  # sockets whose login had ended without their hearing of it
    joins_retried: int = 0  # groups that could not be joined at first
    clock_steps: int = 0  # the database's clock was not where it should have been
    organs_renewed: int = 0  # tasks of the hub that had ended, which none should
    # the canary
    canaries_sent: int = 0
    canaries_heard: int = 0
    canaries_lost: int = 0  # not heard within their time, or could not be sent
    times_deaf: int = 0
    connections_dropped: int = 0  # to Redis, in the hope of hearing by the next
    # publishing: written by the publisher's thread
    published: int = 0
    publish_failed: int = 0  # messages whose round trip failed; some may have arrived all the same
    publish_retried: int = 0  # in round trips that failed, each time
    publish_too_old: int = 0
    publish_overflowed: int = 0  # the queue was full

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


tally = Tally()

# -- how long things took, in seconds; each has one writer -----------------------------------------

# Of a tick, at most: from the first instant of its 10 ms slot to the end of the breath it left in.
tick_lateness = Buckets(0.01, 0.0125, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
publish_delay = Buckets(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
canary_round_trip = Buckets(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)
reconcile_duration = Buckets(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

# -- by a name of a closed set; written by the event loop ------------------------------------------

closed: Counter[int] = Counter()  # by `Close`; `CLIENT_LEFT` where it was not we
CLIENT_LEFT = 0
commands: Counter[tuple[str, str]] = Counter()  # by action, and `ok` or the code of the refusal
