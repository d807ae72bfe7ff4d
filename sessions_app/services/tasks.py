"""The tasks of a session. Their minutes never exceed the session's."""

from __future__ import annotations

from typing import TypedDict

from sessions_app.events import TaskState
from sessions_app.exceptions import NotFound, TaskBudgetExceeded
from sessions_app.ledger import Actor, Turn, turn
from sessions_app.models import Session, Task
from sessions_app.services.quotas import room_for_tasks


class TaskEdit(TypedDict, total=False):
    title: str
    duration: int
    done: bool


def add_task(
    session_id: int, *, by: Actor, title: str, duration: int, done: bool = False
) -> TaskState:
    """Adds a task of `duration` minutes, if they fit into the session's."""
    with turn(by) as t:
        session = t.open(session_id)
        _fits(session, duration)
        room_for_tasks(session)
        task = Task.objects.create(
            session=session, title=title, duration=duration, done=done, created_at=t.now
        )
        return _record_task(t, session, task, "added")


def edit_task(session_id: int, task_id: int, changes: TaskEdit, *, by: Actor) -> TaskState:
    with turn(by) as t:
        session = t.open(session_id)
        task = _task(session, task_id)
        if all(getattr(task, name) == value for name, value in changes.items()):
            t.nothing_changed(session)
            return task.state()
        _fits(session, changes.get("duration", task.duration) - task.duration)
        for name, value in changes.items():
            setattr(task, name, value)
        task.save()
        return _record_task(t, session, task, "edited")


def delete_task(session_id: int, task_id: int, *, by: Actor) -> None:
    with turn(by) as t:
        session = t.open(session_id)
        _task(session, task_id).delete()
        t.record(
            session, "tasks_edited", {"task": task_id, "what": "deleted"}, task_deleted=task_id
        )


def _record_task(t: Turn, session: Session, task: Task, what: str) -> TaskState:
    state = task.state()
    t.record(session, "tasks_edited", {"task": task.pk, "what": what}, task=state)
    return state


def _task(session: Session, task_id: int) -> Task:
    task = session.tasks.filter(pk=task_id).first()
    if task is None:
        raise NotFound
    return task


def _fits(session: Session, more_minutes: int) -> None:
    if session.task_minutes + more_minutes > session.duration:
        raise TaskBudgetExceeded
