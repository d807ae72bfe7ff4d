"""What this process has counted since it started: plain numbers, written by its event loop only.

`tally.as_dict()` is for whoever shows them: the line in the log when a server goes down, and
whatever exports metrics. A number that rises says that something was wrong and was put right,
except for those that say how much was done.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Tally:
    """Counters that only rise."""

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
    # the canary
    canaries_sent: int = 0
    canaries_heard: int = 0
    canaries_lost: int = 0  # not heard within their time, or could not be sent
    times_deaf: int = 0
    connections_dropped: int = 0  # to Redis, in the hope of hearing by the next

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


tally = Tally()
