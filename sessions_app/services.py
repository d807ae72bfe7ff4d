"""Everything that changes a session. Each function is one change: it happens whole, or not at all.

`by` says who asks; `seen` is the version that they saw, or None not to check. All of them raise the
errors of `exceptions.py`; those of the rules carry the session as it stands.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypedDict

from django.conf import settings
from django.core.files.base import ContentFile
from django.db.models.fields.files import FieldFile

from sessions_app import spaces
from sessions_app.countdown import Countdown, Status
from sessions_app.events import Cause, SessionState, TaskState
from sessions_app.exceptions import (
    AnotherSessionIsActive,
    Conflict,
    NotFound,
    Started,
    TaskBudgetExceeded,
)
from sessions_app.files import discard_on_commit
from sessions_app.ledger import Actor, Turn, turn
from sessions_app.models import Session, Space, Task, in_ms

log = logging.getLogger(__name__)

Rule = Callable[[Countdown, datetime], Countdown]


class Edit(TypedDict, total=False):
    """What may be edited. `image` is a picture to store, or None to have none."""

    title: str
    duration: int
    image: ContentFile[bytes] | None
    sound: str
    reminders: list[int] | None


class TaskEdit(TypedDict, total=False):
    title: str
    duration: int
    done: bool


# -- the timer -----------------------------------------------------------------------------------


def start(
    session_id: int, *, by: Actor, seen: int | None = None, replace: bool = False
) -> SessionState:
    """Starts a ready session. `replace` finishes the user's other active one first."""
    with turn(by) as t:
        session = t.open(session_id, seen)
        session.countdown.start(t.now)  # refused for what it is, before another's being active
        if (other := t.other_active(session)) is not None:
            _make_way(t, other, replace)
        session.take(session.countdown.start(t.now), t.now)
        return t.record(session, "started")


def pause(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _change(session_id, by, seen, Countdown.pause, "paused")


def resume(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _change(session_id, by, seen, Countdown.resume, "resumed")


def extend(session_id: int, seconds: int, *, by: Actor, seen: int | None = None) -> SessionState:
    """Moves the end by `seconds`. Taking away all that is left finishes the session."""
    length = timedelta(seconds=seconds)

    def rule(countdown: Countdown, now: datetime) -> Countdown:
        return countdown.extend(length, now)

    return _change(session_id, by, seen, rule, "extended", {"seconds": seconds})


def finish(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _change(session_id, by, seen, Countdown.finish, "finished")


def cancel(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _change(session_id, by, seen, Countdown.cancel, "cancelled")


def _change(
    session_id: int,
    by: Actor,
    seen: int | None,
    rule: Rule,
    kind: Cause,
    data: dict[str, Any] | None = None,
) -> SessionState:
    with turn(by) as t:
        session = t.open(session_id, seen)
        return _apply(t, session, rule(session.countdown, t.now), kind, data)


def _apply(
    t: Turn, session: Session, after: Countdown, kind: Cause, data: dict[str, Any] | None = None
) -> SessionState:
    session.take(after, t.now)
    if after.status is Status.FINISHED:
        kind = "finished"  # an extension may have taken away all that was left
    if after.status not in {Status.COMPLETED, Status.FINISHED}:
        return t.record(session, kind, data)
    late_ms = in_ms(t.now - after.ended_at) if after.ended_at else 0
    space = new_space(session, taken=taken_places(session))
    space.save()
    return t.record(
        session,
        kind,
        (data or {}) | {"late_ms": late_ms, "space": space.pk},
        space=space.state(),
        late_ms=late_ms,
    )


def _make_way(t: Turn, other: Session, replace: bool) -> None:
    """Ends the other active session: it is over anyhow, or the sender wants it replaced."""
    if other.countdown.is_due(t.now):
        _apply(t, other, other.countdown.complete(t.now), "completed")
    elif replace:
        _apply(t, other, other.countdown.finish(t.now), "finished")
    else:
        raise AnotherSessionIsActive(state=other.state(t.now))


# -- what it becomes -----------------------------------------------------------------------------


def new_space(session: Session, *, taken: list[tuple[int, int]]) -> Space:
    """The star or planet of a session that has just ended, not saved yet."""
    assert session.ended_at is not None
    assert session.focused_ms is not None
    seed = secrets.randbits(31)
    body = spaces.body(
        timedelta(milliseconds=session.focused_ms),
        seed=seed,
        star_up_to=timedelta(minutes=settings.STAR_UP_TO_MINUTES),
        taken=taken,
    )
    return Space(
        user_id=session.user_id,
        session=session,
        type=body.type,
        sky=sky_of(session),
        seed=seed,
        x=body.x,
        y=body.y,
        radius=body.radius,
        hue=body.hue,
        look=body.look,
        created_at=session.ended_at,
    )


def sky_of(session: Session) -> Any:
    """The first day of the month, as the user counts days, in which the session ended."""
    assert session.ended_at is not None
    return spaces.month_of(
        session.ended_at, zone=session.user.time_zone, day_start=session.user.day_start
    )


def taken_places(session: Session) -> list[tuple[int, int]]:
    """The middles of the bodies that are already in the sky of that month."""
    return list(
        Space.objects.filter(user_id=session.user_id, sky=sky_of(session)).values_list("x", "y")
    )


# -- the session itself --------------------------------------------------------------------------


def create(
    *,
    by: Actor,
    title: str,
    duration: int,
    image: ContentFile[bytes] | None = None,
    sound: str = "",
    reminders: list[int] | None = None,
) -> SessionState:
    """A new ready session. `duration` in minutes."""
    with turn(by) as t:
        session = _new_session(t, title=title, duration=duration, sound=sound, reminders=reminders)
        _set_image(session, image)
        return t.record(session, "created")


def edit(session_id: int, changes: Edit, *, by: Actor, seen: int | None = None) -> SessionState:
    """Edits what `changes` names. The duration only while ready, not below the tasks' minutes."""
    with turn(by) as t:
        session = t.open(session_id, seen)
        if "duration" in changes and changes["duration"] != session.duration:
            _set_duration(session, changes["duration"])
        if "image" in changes:
            _set_image(session, changes["image"])
        for name in ("title", "sound", "reminders"):
            if name in changes:
                setattr(session, name, changes[name])
        if "reminders" in changes:
            session.arm_reminder(t.now)
        return t.record(session, "edited", {"fields": sorted(changes)})


def repeat(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    """A new ready session like this one, with copies of its tasks, none of them done."""
    with turn(by) as t:
        pattern = t.open(session_id, seen)
        session = _new_session(
            t,
            title=pattern.title,
            duration=pattern.duration,
            sound=pattern.sound,
            reminders=pattern.reminders,
        )
        _set_image(session, _copy_of(pattern.image))
        session.save(force_insert=True)
        Task.objects.bulk_create(
            Task(session=session, title=task.title, duration=task.duration, created_at=t.now)
            for task in pattern.tasks.all()
        )
        return t.record(session, "created", {"repeats": pattern.pk})


def delete(session_id: int, *, by: Actor, seen: int | None = None) -> None:
    """Deletes the session with its tasks and its star. The log keeps that it was there."""
    with turn(by) as t:
        session = t.open(session_id, seen)
        t.record_deletion(session)


def _new_session(t: Turn, **values: Any) -> Session:
    return Session(
        user=t.user,
        created_at=t.now,
        updated_at=t.now,
        planned_ms=values["duration"] * 60_000,
        **values,
    )


def _set_duration(session: Session, minutes: int) -> None:
    if session.status != Status.READY:
        raise Started
    if minutes < session.task_minutes:
        raise TaskBudgetExceeded
    session.duration = minutes
    session.planned_ms = minutes * 60_000


def _copy_of(picture: FieldFile) -> ContentFile[bytes] | None:
    """Its own copy, so that either session can be deleted; None if the file is lost."""
    try:
        return ContentFile(picture.read()) if picture else None
    except FileNotFoundError:
        log.warning("a stored picture is missing: %s", picture.name)
        return None
    finally:
        picture.close()


def _set_image(session: Session, image: ContentFile[bytes] | None) -> None:
    discard_on_commit(session.image)
    if image is None:
        session.image = ""
    else:
        # A random name: one made from the content would be shared between users.
        session.image.save(f"{secrets.token_urlsafe(18)}.webp", image, save=False)


# -- its tasks -----------------------------------------------------------------------------------


def add_task(
    session_id: int, *, by: Actor, title: str, duration: int, done: bool = False
) -> TaskState:
    """A new task of `duration` minutes, where they fit into the session's."""
    with turn(by) as t:
        session = t.open(session_id)
        _fits(session, duration)
        task = Task.objects.create(
            session=session, title=title, duration=duration, done=done, created_at=t.now
        )
        return _record_task(t, session, task, "added")


def edit_task(session_id: int, task_id: int, changes: TaskEdit, *, by: Actor) -> TaskState:
    with turn(by) as t:
        session = t.open(session_id)
        task = _task(session, task_id)
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


__all__ = [
    "Actor",
    "Conflict",
    "Edit",
    "TaskEdit",
    "add_task",
    "cancel",
    "create",
    "delete",
    "delete_task",
    "edit",
    "edit_task",
    "extend",
    "finish",
    "pause",
    "repeat",
    "resume",
    "start",
]
