"""The rules of a countdown, as sentences, and then in any order that hypothesis can think of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sessions_app.countdown import MOST_LEFT, ZERO, Countdown, Status
from sessions_app.exceptions import AlreadyDue, IllegalTransition, InvalidInput, SessionError
from tests.support.generated import share

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MS = timedelta(milliseconds=1)

READY = Countdown(planned=25 * MINUTE)
RUNNING = READY.start(NOON)
PAUSED = RUNNING.pause(NOON + 10 * MINUTE)
COMPLETED = RUNNING.complete(NOON + 25 * MINUTE)
FINISHED = RUNNING.finish(NOON + 10 * MINUTE)
CANCELLED = RUNNING.cancel(NOON + 10 * MINUTE)
ALL = [READY, RUNNING, PAUSED, COMPLETED, FINISHED, CANCELLED]
ENDED = [COMPLETED, FINISHED, CANCELLED]

LATER = NOON + 12 * MINUTE
Action = Callable[[Countdown, datetime], Countdown]
ACTIONS: dict[str, Action] = {
    "start": Countdown.start,
    "pause": Countdown.pause,
    "resume": Countdown.resume,
    "extend": lambda countdown, now: countdown.extend(MINUTE, now),
    "finish": Countdown.finish,
    "cancel": Countdown.cancel,
}
ALLOWED = {
    Status.READY: {"start"},
    Status.RUNNING: {"pause", "extend", "finish", "cancel"},
    Status.PAUSED: {"resume", "extend", "finish", "cancel"},
}


# -- one action ----------------------------------------------------------------------------------


def test_starting_sets_the_deadline_by_what_is_planned() -> None:
    assert (RUNNING.status, RUNNING.started_at) == (Status.RUNNING, NOON)
    assert RUNNING.ends_at == NOON + 25 * MINUTE


def test_a_ready_countdown_has_all_of_its_time_left_and_none_focused() -> None:
    assert READY.remaining_at(LATER) == 25 * MINUTE
    assert READY.focused_at(LATER) == ZERO


def test_pausing_freezes_the_time_left() -> None:
    assert (PAUSED.status, PAUSED.ends_at) == (Status.PAUSED, None)
    assert PAUSED.remaining_at(NOON + 900 * MINUTE) == 15 * MINUTE
    assert PAUSED.focused_at(NOON + 900 * MINUTE) == 10 * MINUTE


def test_resuming_gives_a_deadline_later_by_the_length_of_the_pause() -> None:
    resumed = PAUSED.resume(NOON + 17 * MINUTE)
    assert (resumed.ends_at, resumed.remaining) == (NOON + 32 * MINUTE, None)
    assert resumed.started_at == NOON


def test_extending_while_running_moves_the_deadline_and_what_is_planned() -> None:
    longer = RUNNING.extend(5 * MINUTE, LATER)
    assert (longer.ends_at, longer.planned) == (NOON + 30 * MINUTE, 30 * MINUTE)


def test_extending_while_paused_moves_what_remains() -> None:
    longer = PAUSED.extend(5 * MINUTE, LATER)
    assert (longer.remaining, longer.planned, longer.ends_at) == (20 * MINUTE, 30 * MINUTE, None)


def test_a_negative_extension_shortens() -> None:
    assert RUNNING.extend(-5 * MINUTE, LATER).ends_at == NOON + 20 * MINUTE


@pytest.mark.parametrize("countdown", [RUNNING, PAUSED], ids=["running", "paused"])
@pytest.mark.parametrize("too_much", [ZERO, MS, 60 * MINUTE])
def test_taking_away_all_that_is_left_finishes_it_now(
    countdown: Countdown, too_much: timedelta
) -> None:
    left = countdown.remaining_at(LATER)
    assert countdown.extend(-left - too_much, LATER) == countdown.finish(LATER)


@pytest.mark.parametrize("countdown", [RUNNING, PAUSED], ids=["running", "paused"])
def test_at_most_a_day_may_be_left(countdown: Countdown) -> None:
    most = MOST_LEFT - countdown.remaining_at(LATER)
    assert countdown.extend(most, LATER).remaining_at(LATER) == MOST_LEFT
    with pytest.raises(InvalidInput):
        countdown.extend(most + MS, LATER)


@pytest.mark.parametrize("act", [Countdown.finish, Countdown.cancel], ids=["finish", "cancel"])
@pytest.mark.parametrize("countdown", [RUNNING, PAUSED], ids=["running", "paused"])
def test_ending_early_keeps_what_was_focused(act: Action, countdown: Countdown) -> None:
    ended = act(countdown, LATER)
    assert (ended.ended_at, ended.focused) == (LATER, countdown.focused_at(LATER))
    assert (ended.ends_at, ended.remaining) == (None, None)
    assert ended.remaining_at(LATER) == ZERO


@pytest.mark.parametrize("late", [ZERO, MS, timedelta(days=3)])
def test_a_late_completion_ends_at_the_deadline(late: timedelta) -> None:
    completed = RUNNING.complete(NOON + 25 * MINUTE + late)
    assert (completed.status, completed.ended_at) == (Status.COMPLETED, NOON + 25 * MINUTE)
    assert completed.focused == completed.planned == 25 * MINUTE


def test_it_never_ends_before_its_deadline() -> None:
    with pytest.raises(IllegalTransition):
        RUNNING.complete(NOON + 25 * MINUTE - MS)


@pytest.mark.parametrize("countdown", [READY, PAUSED, *ENDED], ids=lambda c: c.status.value)
def test_only_a_running_countdown_completes(countdown: Countdown) -> None:
    with pytest.raises(IllegalTransition):
        countdown.complete(NOON + timedelta(days=9))


@pytest.mark.parametrize("action", ["pause", "extend", "finish", "cancel"])
@pytest.mark.parametrize("after", [ZERO, MS, MINUTE])
def test_from_the_deadline_on_the_end_wins(action: str, after: timedelta) -> None:
    ACTIONS[action](RUNNING, NOON + 25 * MINUTE - MS)  # until then it is allowed
    with pytest.raises(AlreadyDue):
        ACTIONS[action](RUNNING, NOON + 25 * MINUTE + after)


@pytest.mark.parametrize("countdown", ALL, ids=lambda c: c.status.value)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_status_allows_its_own_actions_and_no_others(
    action: str, countdown: Countdown
) -> None:
    if action in ALLOWED.get(countdown.status, set()):
        assert ACTIONS[action](countdown, LATER) != countdown
    else:
        with pytest.raises(IllegalTransition):
            ACTIONS[action](countdown, LATER)


# -- any order of actions and time ---------------------------------------------------------------

LENGTHS = st.integers(0, 40 * 60_000).map(lambda ms: ms * MS)  # to the millisecond
EXTENSIONS = st.integers(-86_400, 86_400).map(lambda s: timedelta(seconds=s))


class AnyOrder(RuleBasedStateMachine):
    """A stopwatch beside the countdown sums up the running intervals by itself."""

    countdown: Countdown
    now = NOON
    stopwatch = ZERO

    @initialize(minutes=st.integers(1, 1440))
    def planned(self, minutes: int) -> None:
        self.countdown = Countdown(planned=minutes * MINUTE)

    @rule(length=LENGTHS)
    def time_passes(self, length: timedelta) -> None:
        if self.countdown.ends_at is not None:
            self.stopwatch += min(length, self.countdown.remaining_at(self.now))
        self.now += length

    @rule()
    def time_passes_to_the_deadline(self) -> None:
        if self.countdown.ends_at is not None and self.countdown.ends_at > self.now:
            self.time_passes(self.countdown.ends_at - self.now)

    @rule(action=st.sampled_from(sorted(set(ACTIONS) - {"extend"})))
    def acts(self, action: str) -> None:
        self.tries(ACTIONS[action], allowed=action in ALLOWED.get(self.countdown.status, set()))

    @rule(by=EXTENSIONS)
    def extends(self, by: timedelta) -> None:
        self.tries(lambda countdown, now: countdown.extend(by, now))

    @rule()
    def timekeeper_looks(self) -> None:
        before, due = self.countdown, self.countdown.is_due(self.now)
        self.tries(Countdown.complete, allowed=due)
        if due:
            assert self.countdown.ended_at == before.ends_at
            assert self.countdown.focused == self.countdown.planned == before.planned

    def tries(self, action: Action, *, allowed: bool | None = None) -> None:
        before = self.countdown
        try:
            self.countdown = action(before, self.now)
        except SessionError:
            assert self.countdown is before
            assert allowed is not True or before.is_due(self.now)
        else:
            assert allowed is not False

    @invariant()
    def what_was_focused_is_the_sum_of_the_running_intervals(self) -> None:
        assert self.countdown.focused_at(self.now) == self.stopwatch

    @invariant()
    def no_time_is_lost_or_won_while_it_is_active(self) -> None:
        countdown = self.countdown
        if countdown.is_active:
            spent = countdown.focused_at(self.now) + countdown.remaining_at(self.now)
            assert spent == countdown.planned

    @invariant()
    def nothing_is_negative(self) -> None:
        assert self.countdown.remaining_at(self.now) >= ZERO
        assert self.countdown.focused_at(self.now) >= ZERO
        assert self.countdown.planned > ZERO

    @invariant()
    def everything_is_whole_milliseconds(self) -> None:
        for length in (self.countdown.planned, self.countdown.remaining, self.countdown.focused):
            assert length is None or not length % MS

    @invariant()
    def each_status_has_what_belongs_to_it_and_nothing_else(self) -> None:
        countdown = self.countdown
        ended = countdown.status in {Status.COMPLETED, Status.FINISHED, Status.CANCELLED}
        assert (countdown.ends_at is not None) == (countdown.status is Status.RUNNING)
        assert (countdown.remaining is not None) == (countdown.status is Status.PAUSED)
        assert (countdown.focused is not None) == (countdown.ended_at is not None) == ended
        assert (countdown.started_at is not None) == (countdown.status is not Status.READY)

    @invariant()
    def nothing_ends_after_now(self) -> None:
        assert self.countdown.ended_at is None or self.countdown.ended_at <= self.now


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=share(80), stateful_step_count=30, deadline=None)
