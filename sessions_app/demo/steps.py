"""What a plan is made of: sessions, and the steps that a user or the timekeeper takes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sessions_app.countdown import Countdown

Action = Literal[
    "create",
    "repeat",
    "delete",
    "rename",
    "add_task",
    "do_task",
    "start",
    "pause",
    "resume",
    "extend",
    "finish",
    "cancel",
    "complete",
]
RULES: Mapping[Action, Callable[[Countdown, datetime], Countdown]] = {
    "start": Countdown.start,
    "pause": Countdown.pause,
    "resume": Countdown.resume,
    "finish": Countdown.finish,
    "cancel": Countdown.cancel,
    "complete": Countdown.complete,
}
KEPT: frozenset[Action] = frozenset({"complete", "finish"})  # give a star or a planet


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change. `task` is a place in the session's list of tasks, `seconds` an extension.

    `pattern` is the place in the plan of the session that is repeated.
    """

    at: datetime
    action: Action
    device: str
    task: int = 0
    seconds: int = 0
    title: str = ""
    pattern: int = 0

    def rule(self, countdown: Countdown) -> Countdown:
        """The countdown after a step of the timer."""
        if self.action == "extend":
            return countdown.extend(timedelta(seconds=self.seconds), self.at)
        return RULES[self.action](countdown, self.at)


@dataclass(frozen=True, slots=True)
class PlannedTask:
    title: str
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSession:
    """A session and all that happens to it. `sky_seed` gives its star or planet."""

    title: str
    minutes: int
    tasks: tuple[PlannedTask, ...]
    reminders: tuple[int, ...] | None
    sky_seed: int
    steps: tuple[Step, ...] = ()

    @property
    def created_at(self) -> datetime:
        return self.steps[0].at

    @property
    def last_change(self) -> datetime:
        return self.steps[-1].at

    @property
    def last_title(self) -> str:
        renamed = [step.title for step in self.steps if step.action == "rename"]
        return renamed[-1] if renamed else self.title

    @property
    def is_kept(self) -> bool:
        return any(step.action in KEPT for step in self.steps)
