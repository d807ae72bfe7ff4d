"""Writes a plan as rows in bulk: the rows that the services would have left.

Each step uses the rules and methods of a change that is made now (`Session.take`, `new_space`),
with the plan's instant in place of the clock. A test makes the same changes by the services and
compares every column.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from accounts.models import User
from sessions_app.demo.plan import KEPT, Plan, PlannedSession, Step
from sessions_app.events import ChangeKind
from sessions_app.models import Session, SessionEvent, Space, Task, in_ms
from sessions_app.services.sessions import new_session
from sessions_app.services.sky import new_space, sky_of
from sessions_app.sky import Place

ROWS_IN_A_STATEMENT = 500
KINDS: dict[str, ChangeKind] = {
    "create": "created",
    "add_task": "tasks_edited",
    "do_task": "tasks_edited",
    "start": "started",
    "pause": "paused",
    "resume": "resumed",
    "extend": "extended",
    "finish": "finished",
    "cancel": "cancelled",
    "complete": "completed",
}


class Written:
    """The rows of a plan. `save` writes them; until then they have no numbers."""

    def __init__(self, plan: Plan, user: User) -> None:
        self.since, self.until = plan.since, plan.until
        self.sessions: list[Session] = []
        self.spaces: list[Space] = []
        self.events: list[SessionEvent] = []
        self._user = user
        self._subjects: list[tuple[Session, Task | Space | None]] = []  # of each event
        self._tasks: dict[tuple[int, int], Task] = {}  # by the places of session and task
        self._places: dict[date, list[Place]] = defaultdict(list)
        for number, step in plan.steps():
            self._take(number, plan.sessions[number], step)
        for session in self.sessions:
            if session.ends_at is not None:
                session.arm_reminder(plan.until)  # earlier ones have been sent

    @property
    def tasks(self) -> list[Task]:
        return list(self._tasks.values())

    def save(self) -> None:
        """For a user without sessions. Within the caller's transaction."""
        Session.objects.bulk_create(self.sessions, batch_size=ROWS_IN_A_STATEMENT)
        Task.objects.bulk_create(self.tasks, batch_size=ROWS_IN_A_STATEMENT)
        Space.objects.bulk_create(self.spaces, batch_size=ROWS_IN_A_STATEMENT)
        for event, (session, subject) in zip(self.events, self._subjects, strict=True):
            event.session_id = session.pk
            if subject is not None:
                event.data["space" if isinstance(subject, Space) else "task"] = subject.pk
        SessionEvent.objects.bulk_create(self.events, batch_size=ROWS_IN_A_STATEMENT)
        User.objects.filter(pk=self._user.pk).update(revision=len(self.events))

    def _take(self, number: int, planned: PlannedSession, step: Step) -> None:
        if step.action == "create":
            self.sessions.append(
                new_session(
                    self._user,
                    step.at,
                    title=planned.title,
                    duration=planned.minutes,
                    reminders=planned.reminders,
                )
            )
        session = self.sessions[number]
        data: dict[str, Any] = {}
        subject: Task | Space | None = None
        if step.action == "add_task":
            title, minutes = planned.tasks[step.number]
            subject = Task(session=session, title=title, duration=minutes, created_at=step.at)
            self._tasks[number, step.number] = subject
            data["what"] = "added"
        elif step.action == "do_task":
            subject = self._tasks[number, step.number]
            subject.done = True
            data["what"] = "edited"
        elif step.action != "create":
            session.take(step.rule(session.countdown), step.at)
        if step.action == "extend":
            data["seconds"] = step.number
        if step.action in KEPT:
            subject = self._space(session, planned.sky_seed)
            data["late_ms"] = in_ms(step.at - subject.created_at)
        session.version += 1
        session.updated_at = step.at
        self._subjects.append((session, subject))
        self.events.append(
            SessionEvent(
                user=self._user,
                revision=len(self.events) + 1,
                version=session.version,
                kind=KINDS[step.action],
                at=step.at,
                device=step.device,
                data=data,
            )
        )

    def _space(self, session: Session, seed: int) -> Space:
        sky = sky_of(session)
        space = new_space(session, sky=sky, taken=self._places[sky], seed=seed)
        self._places[sky].append((space.x, space.y))
        self.spaces.append(space)
        return space
