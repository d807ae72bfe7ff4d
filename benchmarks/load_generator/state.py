"""A session's state, without what depends on the moment at which it was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

State = dict[str, Any]
READ = {"server_time"}
WHILE_RUNNING = {"server_time", "remaining_ms", "focused_ms"}


def lasting(state: State) -> State:
    """What two readers of one version must agree on.

    Pictures have an absolute URL over REST, and a path on the socket where no `PUBLIC_URL` is set.
    """
    timer = state["timer"]
    passing = WHILE_RUNNING if timer["status"] == "running" else READ
    image = state["image"] and urlsplit(state["image"]).path
    return {**state, "image": image, "timer": {k: timer[k] for k in timer.keys() - passing}}


def instant_ms(text: str) -> float:
    """An instant of a frame, in milliseconds since 1970."""
    return datetime.fromisoformat(text).timestamp() * 1000


@dataclass(slots=True)
class Known:
    """A session as a device knows it."""

    state: State  # as `lasting` leaves it
    learned_at: float  # ms, this machine's clock: when this version was first received here

    @property
    def version(self) -> int:
        return int(self.state["timer"]["version"])

    @property
    def status(self) -> str:
        return str(self.state["timer"]["status"])

    @property
    def ends_at_ms(self) -> float | None:
        text = self.state["timer"]["ends_at"]
        return instant_ms(text) if text else None
