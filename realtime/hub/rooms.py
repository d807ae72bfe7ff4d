"""A room: the sockets of one user in this process, and which of the user's changes it received."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from realtime.delivery.outbox import Outbox


class Socket(Protocol):
    """A socket, as the hub sees it."""

    outbox: Outbox
    joined_at: float  # on the loop's clock
    closing: bool  # the server has begun to close it
    login_id: int | None  # None until it is admitted

    def deliver(self, frame: str, revision: int | None) -> None:
        """Sends a frame. `revision` is that of the change, None if it is no change."""

    def close_revoked(self) -> None:
        """Closes it: its login has ended."""

    def reset(self) -> None:
        """Sends a `ready` that has the client load its lists again: it missed too much."""

    def evict(self) -> None:
        """Closes it: it is the oldest of a user with too many sockets."""

    def close_for_restart(self) -> None:
        """Closes it, after the answer to a running command. The second call does not wait."""

    def send_heartbeat(self) -> None:
        """Nothing else was sent for a while."""


@dataclass(eq=False)
class Room:
    """One user's sockets in this process.

    `revision`: the room has received every change up to it; None before the first socket has read
    it. `ahead`: later revisions that it received while an earlier one is missing.
    """

    user_id: int
    sockets: set[Socket] = field(default_factory=set)
    # Of the sockets: all that a tick needs. A dictionary, because it is iterated every second, and
    # the members of a set of ten are spread over thirty places.
    outboxes: dict[Outbox, None] = field(default_factory=dict)
    joined: bool = False
    revision: int | None = None
    epoch: str | None = None  # the epoch of the database that `revision` belongs to
    ahead: set[int] = field(default_factory=set)
    versions: dict[int, int] = field(default_factory=dict)  # the newest received, by session
    ticking: dict[int, int] = field(default_factory=dict)  # sessions, by the revision that said so
    command_lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # one command at a time

    def received(self, revision: int) -> None:
        """The room received this change."""
        self.ahead.add(revision)
        if self.revision is not None:
            self.received_up_to(self.revision)

    def read_by_one(self, revision: int, epoch: str | None = None) -> None:
        """One socket has read the state at this revision. The others received nothing by that."""
        if self.revision is None:
            self.epoch = epoch
            self.received_up_to(revision)

    def received_up_to(self, revision: int) -> None:
        """Every socket has received this change and all before it."""
        self.revision = max(revision, self.revision or 0)
        while self.revision + 1 in self.ahead:
            self.revision += 1
        self.ahead = {r for r in self.ahead if r > self.revision}

    def deliver(self, frame: str, revision: int | None) -> None:
        """Sends a frame to each socket."""
        for socket in tuple(self.sockets):
            socket.deliver(frame, revision)

    def reset_sockets(self) -> None:
        for socket in tuple(self.sockets):
            socket.reset()
