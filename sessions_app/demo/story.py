"""One session from its making to its end, told in steps that a user or the timekeeper takes.

The countdown itself says when it ends and refuses what is not allowed, so a story can only tell
what the rules permit. All instants are whole milliseconds, as the database's clock gives them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from sessions_app.countdown import Countdown, Status
from sessions_app.demo.chances import course
from sessions_app.demo.steps import Action, PlannedSession, Step

TIMEKEEPER = ""  # the device of an end that no device has asked for
LATEST_MS = 150  # of an end, with a timekeeper at work


class Story:
    """A session as it goes on: `now` moves forward only, and each step is noted."""

    def __init__(self, session: PlannedSession, now: datetime, device: str, dice: Random) -> None:
        self.now = now
        self._session, self._device, self._dice = session, device, dice
        self._countdown = Countdown(planned=timedelta(minutes=session.minutes))
        self._steps: list[Step] = []

    def told(self) -> PlannedSession:
        return replace(self._session, steps=tuple(self._steps))

    def prepare(self) -> None:
        """Made, and its tasks one after the other."""
        self._step("create")
        for number in range(len(self._session.tasks)):
            self.wait(5, 25)
            self._step("add_task", task=number)

    def repeat(self, pattern: int) -> None:
        """Made with its tasks at once, like the one at that place in the plan."""
        self._step("repeat", pattern=pattern)

    def drop(self) -> None:
        """Thought better of it."""
        self.wait(20, 2_400)
        self._step("delete")

    def rename(self, title: str) -> None:
        self.wait(3, 20)
        self._step("rename", title=title)

    def start(self) -> None:
        self._timer("start")

    def start_at(self, moment: datetime) -> None:
        self.now = max(self.now, moment)
        self.start()

    def run(self) -> None:
        """From the start to the end, whichever it is, with what happens on the way."""
        for focused, action, number in course(self._dice, self._session):
            if self._countdown.is_active:
                self._run_until(focused)
                self._happens(action, number)
        self._tidy_up()

    def run_out(self) -> None:
        """Undisturbed, with everything done."""
        self._complete()
        for number in range(len(self._session.tasks)):
            self.wait(2, 9)
            self._step("do_task", task=number)

    def run_for(self, length: timedelta, done: int) -> None:
        """Still running after `length`, with the first `done` tasks done."""
        begin = self.now
        for number in range(done):
            self.now = begin + length * (number + 1) / (done + 1)
            self.now = _whole_ms(self.now)
            self._step("do_task", task=number)

    def wait(self, least_s: float, most_s: float) -> None:
        self.now += timedelta(
            milliseconds=self._dice.randint(int(least_s * 1e3), int(most_s * 1e3))
        )

    def _run_until(self, focused_ms: int) -> None:
        """Goes on until so much is focused; what runs out before, ends."""
        ends_at = self._countdown.ends_at
        assert ends_at is not None
        focused = self._countdown.focused_at(self.now)
        then = self.now + timedelta(milliseconds=focused_ms) - focused
        if then >= ends_at:
            self._complete()
        else:
            self.now = max(self.now, then)

    def _happens(self, action: Action, number: int) -> None:
        if not self._countdown.is_active:
            return
        if action == "do_task":
            self._step("do_task", task=number)
        elif action == "extend":
            self._timer("extend", seconds=number)
        else:
            self._timer(action, device=self._some_device())
        if action == "pause":
            self._interruption()

    def _interruption(self) -> None:
        """Mostly short. Sometimes one does not come back to it."""
        self.wait(*self._dice.choices(((20, 120), (120, 540), (900, 2_100)), (45, 47, 8))[0])
        self._timer("cancel" if self._dice.random() < 0.06 else "resume")

    def _complete(self) -> None:
        """The timekeeper ends it, a little after the deadline."""
        ends_at = self._countdown.ends_at
        assert ends_at is not None
        late_ms = min(LATEST_MS, 1 + int(self._dice.expovariate(1 / 7)))
        self.now = max(self.now, ends_at) + timedelta(milliseconds=late_ms)
        self._timer("complete", device=TIMEKEEPER)

    def _tidy_up(self) -> None:
        """Back at the list: what was done in the end is ticked off, if the work was not dropped."""
        done = {step.task for step in self._steps if step.action == "do_task"}
        for number in range(len(self._session.tasks)):
            dropped = self._countdown.status is Status.CANCELLED
            if number not in done and not dropped and self._dice.random() < 0.55:
                self.wait(4, 30)
                self._step("do_task", task=number)

    def _some_device(self) -> str:
        return self._device if self._dice.random() < 0.85 else "Phone"

    def _timer(self, action: Action, *, device: str | None = None, seconds: int = 0) -> None:
        step = self._step(action, device=device, seconds=seconds)
        self._countdown = step.rule(self._countdown)

    def _step(
        self,
        action: Action,
        *,
        device: str | None = None,
        task: int = 0,
        seconds: int = 0,
        title: str = "",
        pattern: int = 0,
    ) -> Step:
        step = Step(
            at=self.now,
            action=action,
            device=self._device if device is None else device,
            task=task,
            seconds=seconds,
            title=title,
            pattern=pattern,
        )
        self._steps.append(step)
        return step


def _whole_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
