"""Any order of changes against the real database: what is always true.

Time passes by moving the rows into the past (`time_passes`): the clock, the constraints and the
queries are the real ones.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.test import TestCase
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from runtime.database.clock import clock_time
from sessions_app import changes, services
from sessions_app.events import ENDS, SessionChanged, SessionState, session_changed
from sessions_app.exceptions import SessionError
from sessions_app.models import Session, SessionEvent, Space
from sessions_app.timekeeper import loop
from tests.support.generated import share
from tests.support.people import Person, signed_up, time_passes

MOST_SESSIONS = 5  # of a user: enough to be in each other's way
WHICH = st.integers(0, MOST_SESSIONS - 1)
OPTIONAL_VERSION = st.one_of(st.none(), st.none(), st.integers(1, 4))


class AnyChanges(RuleBasedStateMachine):
    """One user, who changes anything in any order, and a device that has heard all of it."""

    numbers = iter(range(10**9))
    ada: Person

    @initialize()
    def signs_up(self) -> None:
        self.ada = signed_up(f"user{next(self.numbers)}")
        self.heard: list[SessionChanged] = []
        self.seen: dict[int, SessionState] = {}  # as a device that keeps the newest state
        self.known = 0  # a revision that some other device has seen
        self.known_states: dict[int, SessionState] = {}
        self.look()

    def teardown(self) -> None:
        self.ada.user.delete()

    # -- what may happen -------------------------------------------------------------------------

    @rule(duration=st.integers(1, 40))
    def create(self, duration: int) -> None:
        if len(self.sessions) < MOST_SESSIONS:
            self.act(services.create, title="Write", duration=duration)

    @rule(which=WHICH, seen=OPTIONAL_VERSION, replace=st.booleans())
    def start(self, which: int, seen: int | None, replace: bool) -> None:
        self.on(which, services.start, seen=seen, replace=replace)

    @rule(
        which=WHICH,
        seen=OPTIONAL_VERSION,
        action=st.sampled_from([services.pause, services.resume, services.pause, services.resume]),
    )
    def pause_or_resume(self, which: int, seen: int | None, action: Any) -> None:
        self.on(which, action, seen=seen)

    @rule(which=WHICH, action=st.sampled_from([services.finish, services.cancel]))
    def end(self, which: int, action: Any) -> None:
        self.on(which, action)

    @rule(which=WHICH, seconds=st.integers(-900, 900))
    def extend(self, which: int, seconds: int) -> None:
        self.on(which, services.extend, seconds)

    @rule(which=WHICH, duration=st.integers(1, 40), title=st.sampled_from(["Read", "Rest"]))
    def edit(self, which: int, duration: int, title: str) -> None:
        self.on(which, services.edit, {"title": title, "duration": duration})

    @rule(which=WHICH)
    def repeat(self, which: int) -> None:
        if len(self.sessions) < MOST_SESSIONS:
            self.on(which, services.repeat)

    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        self.on(which, services.delete)

    @rule(which=WHICH, minutes=st.integers(1, 30))
    def add_task(self, which: int, minutes: int) -> None:
        self.on(which, services.add_task, title="Outline", duration=minutes)

    @rule(which=WHICH, minutes=st.integers(1, 30), done=st.booleans())
    def edit_task(self, which: int, minutes: int, done: bool) -> None:
        self.on_task(which, services.edit_task, {"duration": minutes, "done": done})

    @rule(which=WHICH)
    def delete_task(self, which: int) -> None:
        self.on_task(which, services.delete_task)

    @rule(seconds=st.floats(0.001, 1500))
    def time_goes_by(self, seconds: float) -> None:
        time_passes(round(seconds, 3))
        self.look()

    @rule()
    def timekeeper_sweeps(self) -> None:
        self.act(lambda by: loop.finish_due())

    @rule()
    def timekeeper_reminds(self) -> None:
        before = self.revision
        self.act(lambda by: loop.send_reminders())
        assert self.revision == before

    @rule()
    def another_device_goes_away(self) -> None:
        self.known, self.known_states = self.revision, self.fresh

    # -- what is always true ---------------------------------------------------------------------

    @invariant()
    def revisions_rise_by_one_with_each_change(self) -> None:
        revisions = [row.revision for row in self.log]
        assert revisions == list(range(1, self.revision + 1))

    @invariant()
    def versions_of_a_session_rise_by_one_with_each_change(self) -> None:
        versions: dict[int, list[int]] = {}
        for row in self.log:
            versions.setdefault(row.session_id, []).append(row.version)
        assert all(seen == list(range(1, len(seen) + 1)) for seen in versions.values())
        for session in self.sessions:
            assert session.version == versions[session.pk][-1]

    @invariant()
    def the_log_begins_with_a_birth_and_goes_on_until_a_death(self) -> None:
        rows: dict[int, list[str]] = {}
        for row in self.log:
            rows.setdefault(row.session_id, []).append(row.kind)
        there = {session.pk for session in self.sessions}
        for session_id, kinds in rows.items():
            assert kinds[0] == "created"
            assert (kinds[-1] == "deleted") == (session_id not in there)
            assert sum(kind in ENDS for kind in kinds) <= 1

    @invariant()
    def the_log_runs_forward_in_time(self) -> None:
        moments = [row.at for row in self.log]
        assert moments == sorted(moments)
        assert all(at <= self.now for at in moments)

    @invariant()
    def every_change_was_announced_once_and_in_order(self) -> None:
        heard = [(c.revision, c.session_id, c.version, c.kind) for c in self.heard]
        assert heard == [(r.revision, r.session_id, r.version, r.kind) for r in self.log]

    @invariant()
    def a_device_that_heard_everything_shows_what_a_newcomer_sees(self) -> None:
        assert self.without_clock(self.seen) == self.without_clock(self.fresh)

    @invariant()
    def what_a_device_missed_brings_it_up_to_date(self) -> None:
        missed = changes.missed(self.ada.user_id, since=self.known)
        assert not missed.reset
        assert missed.revision == self.revision
        assert [c.revision for c in missed.changes] == list(
            range(self.known + 1, missed.revision + 1)
        )
        states = dict(self.known_states)
        for change in missed.changes:
            if change.kind == "deleted":
                states.pop(change.session, None)
            elif change.state is not None:
                states[change.session] = change.state
        assert self.without_clock(states) == self.without_clock(self.fresh)

    @invariant()
    def at_most_one_session_is_active(self) -> None:
        active = [s for s in self.sessions if s.countdown.is_active]
        assert len(active) <= 1
        shown = changes.active_sessions([self.ada.user_id]).get(self.ada.user_id)
        assert (shown and shown.id) == (active[0].pk if active else None)

    @invariant()
    def time_is_conserved(self) -> None:
        for state in self.fresh.values():
            timer = state.timer
            assert timer.remaining_ms >= 0
            assert timer.focused_ms >= 0
            if timer.status in {"ready", "running", "paused"}:
                assert timer.focused_ms + timer.remaining_ms == timer.planned_ms
            elif timer.status == "completed":
                assert timer.focused_ms == timer.planned_ms
            else:
                assert timer.focused_ms <= timer.planned_ms

    @invariant()
    def the_minutes_of_the_tasks_fit(self) -> None:
        for session in self.sessions:
            minutes = sum(task.duration for task in session.tasks.all())
            assert minutes == session.task_minutes <= session.duration

    @invariant()
    def each_session_that_was_kept_has_its_body_and_no_other_has(self) -> None:
        kept = {s.pk for s in self.sessions if s.status in {"completed", "finished"}}
        assert sorted(self.bodies) == sorted(kept)

    # -- how -------------------------------------------------------------------------------------

    def on(self, which: int, change: Any, *arguments: Any, **more: Any) -> None:
        sessions = self.sessions
        if which < len(sessions):
            self.act(lambda by: change(sessions[which].pk, *arguments, by=by, **more), bare=True)

    def on_task(self, which: int, change: Any, *arguments: Any) -> None:
        sessions = self.sessions
        if which < len(sessions):
            session = sessions[which]
            task_id = next((task.pk for task in session.tasks.all()), 0)
            self.act(lambda by: change(session.pk, task_id, *arguments, by=by), bare=True)

    def act(self, change: Any, *, bare: bool = False, **more: Any) -> None:
        """One change, heard after its commit. What is refused changes nothing."""
        before = self.revision
        session_changed.connect(self.hear)
        try:
            with TestCase.captureOnCommitCallbacks(execute=True):
                change(self.ada.actor) if bare else change(by=self.ada.actor, **more)
        except SessionError:
            assert self.ada.revision == before
        finally:
            session_changed.disconnect(self.hear)
        self.look()

    def hear(self, change: SessionChanged, **_: Any) -> None:
        if change.user_id != self.ada.user_id:
            return  # left over from an example before: the timekeeper ends those, too
        self.heard.append(change)
        if change.state is None:
            del self.seen[change.session_id]
        else:
            self.seen[change.session_id] = change.state

    def look(self) -> None:
        """What is in the database now."""
        mine = self.ada.user_id
        sessions = Session.objects.filter(user_id=mine).prefetch_related("tasks")
        self.sessions = list(sessions.order_by("pk"))
        self.log = list(SessionEvent.objects.filter(user_id=mine).order_by("revision"))
        self.bodies = list(Space.objects.filter(user_id=mine).values_list("session_id", flat=True))
        self.revision = self.ada.revision
        self.now = clock_time()
        self.fresh = {session.pk: session.state(self.now) for session in self.sessions}

    def without_clock(self, states: dict[int, SessionState]) -> dict[int, Any]:
        """The states without what goes on by itself, or was moved into the past by the test."""
        plain = {session_id: state.as_json() for session_id, state in states.items()}
        for state in plain.values():
            state.pop("created_at")
            for task in state["tasks"]:
                task.pop("created_at")
            for name in ("server_time", "started_at", "ends_at", "ended_at"):
                state["timer"].pop(name)
            if state["timer"]["status"] == "running":
                state["timer"].pop("remaining_ms")
                state["timer"].pop("focused_ms")
        return plain


@pytest.mark.usefixtures("patient")
def test_changes_in_any_order_keep_all_invariants() -> None:
    few = settings(
        max_examples=share(15),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(AnyChanges, settings=few)
