"""A plan as rows: what the services would have left, written in bulk.

Each step goes through the same rules and the same methods as a change that is made now
(`Session.take`, `new_space`), with the instant of the plan in place of the clock. Numbers are taken
from the sequences first, since the log names tasks and stars by them. (A test makes some of these
changes by the services, too, and compares every column.)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.db import connection, models

from accounts.models import User
from sessions_app.demo.plan import Plan
from sessions_app.demo.steps import KEPT, PlannedSession, Step
from sessions_app.events import Cause
from sessions_app.models import Session, SessionEvent, Space, Task, in_ms
from sessions_app.services.sessions import new_session
from sessions_app.services.sky import new_space, sky_of

AT_ONCE = 500  # rows in one statement: far from the longest that a statement may take
KINDS: dict[str, Cause] = {
    "start": "started",
    "pause": "paused",
    "resume": "resumed",
    "extend": "extended",
    "finish": "finished",
    "cancel": "cancelled",
    "complete": "completed",
}


class Written:
    """The rows of a plan. `save` writes them; until then nothing has touched a table."""

    def __init__(self, plan: Plan, user: User) -> None:
        self.sessions: list[Session] = []
        self.tasks: list[Task] = []
        self.spaces: list[Space] = []
        self.events: list[SessionEvent] = []
        self.since, self.until = plan.since, plan.until
        self._user = user
        self._made: list[Session] = []
        self._deleted: set[int] = set()
        self._tasks: dict[tuple[int, int], Task] = {}  # by the session's place and its own there
        self._taken: dict[date, list[tuple[int, int]]] = defaultdict(list)
        self._numbers = _numbers_for(plan)
        for number, step in plan.steps():
            self._take(number, plan.sessions[number], step)
        self.sessions = [session for session in self._made if session.pk not in self._deleted]
        self.tasks = [t for t in self._tasks.values() if t.session_id not in self._deleted]
        for session in self.sessions:
            if session.ends_at is not None:  # the timekeeper has sent what came before
                session.arm_reminder(plan.until)

    def save(self) -> None:
        """For a user who has nothing yet. Within the caller's transaction."""
        Session.objects.bulk_create(self.sessions, batch_size=AT_ONCE)
        Task.objects.bulk_create(self.tasks, batch_size=AT_ONCE)
        Space.objects.bulk_create(self.spaces, batch_size=AT_ONCE)
        SessionEvent.objects.bulk_create(self.events, batch_size=AT_ONCE)
        User.objects.filter(pk=self._user.pk).update(revision=len(self.events))

    def _take(self, number: int, planned: PlannedSession, step: Step) -> None:
        if step.action in {"create", "repeat"}:
            self._made.append(self._new(planned, step))
        session = self._made[number]
        kind: Cause
        data: dict[str, Any]
        match step.action:
            case "create":
                kind, data = "created", {}
            case "repeat":
                for place in range(len(planned.tasks)):
                    self._new_task(number, place, planned, step)
                kind, data = "created", {"repeats": self._made[step.pattern].pk}
            case "delete":
                self._deleted.add(session.pk)
                kind, data = "deleted", {}
            case "rename":
                session.title = step.title
                kind, data = "edited", {"fields": ["title"]}
            case "add_task":
                task = self._new_task(number, step.task, planned, step)
                kind, data = "tasks_edited", {"task": task.pk, "what": "added"}
            case "do_task":
                task = self._tasks[number, step.task]
                task.done = True
                kind, data = "tasks_edited", {"task": task.pk, "what": "edited"}
            case action:
                session.take(step.rule(session.countdown), step.at)
                kind, data = KINDS[action], self._told_of(session, planned, step)
        self._log(session, kind, data, step)

    def _new(self, planned: PlannedSession, step: Step) -> Session:
        session = new_session(
            self._user,
            step.at,
            title=planned.title,
            duration=planned.minutes,
            reminders=None if planned.reminders is None else list(planned.reminders),
        )
        session.pk = next(self._numbers[Session])
        return session

    def _new_task(self, number: int, place: int, planned: PlannedSession, step: Step) -> Task:
        pattern = planned.tasks[place]
        task = Task(
            pk=next(self._numbers[Task]),
            session=self._made[number],
            title=pattern.title,
            duration=pattern.minutes,
            created_at=step.at,
        )
        self._tasks[number, place] = task
        return task

    def _told_of(self, session: Session, planned: PlannedSession, step: Step) -> dict[str, Any]:
        """What the log says of a step of the timer; an end that is kept gives a body, too."""
        data: dict[str, Any] = {"seconds": step.seconds} if step.action == "extend" else {}
        if step.action not in KEPT:
            return data
        assert session.ended_at is not None
        sky = sky_of(session)
        taken = self._taken[sky]
        space = new_space(session, sky=sky, taken=taken, seed=planned.sky_seed)
        space.pk = next(self._numbers[Space])
        taken.append((space.x, space.y))
        self.spaces.append(space)
        return data | {"late_ms": in_ms(step.at - session.ended_at), "space": space.pk}

    def _log(self, session: Session, kind: Cause, data: dict[str, Any], step: Step) -> None:
        session.version += 1
        session.updated_at = step.at
        self.events.append(
            SessionEvent(
                user=self._user,
                revision=len(self.events) + 1,
                session_id=session.pk,
                version=session.version,
                kind=kind,
                at=step.at,
                device=step.device,
                data=data,
            )
        )


def _numbers_for(plan: Plan) -> dict[type[models.Model], Iterator[int]]:
    """As many numbers as the plan needs, taken from the sequences as an INSERT would."""
    actions = Counter(step.action for _, step in plan.steps())
    return {
        Session: _numbers(Session, len(plan.sessions)),
        Task: _numbers(Task, sum(len(session.tasks) for session in plan.sessions)),
        Space: _numbers(Space, sum(actions[action] for action in KEPT)),
    }


def _numbers(model: type[models.Model], count: int) -> Iterator[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return iter(sorted(row[0] for row in cursor.fetchall()))
