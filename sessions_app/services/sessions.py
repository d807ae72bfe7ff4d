"""Creates, edits, repeats and deletes sessions."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, TypedDict

from django.core.files.base import ContentFile

from accounts.models import User
from runtime.database.clock import clock_time
from sessions_app.countdown import Status
from sessions_app.events import SessionState
from sessions_app.exceptions import Started, StorageFailed, TaskBudgetExceeded
from sessions_app.ledger import Actor, turn
from sessions_app.models import Session, Task
from sessions_app.pictures.storage import discard_on_commit, stored
from sessions_app.services.quotas import room_for_a_picture, room_for_a_session, room_for_tasks

log = logging.getLogger(__name__)


class Edit(TypedDict, total=False):
    """Fields that may be edited. `image` is a picture to store, or None to remove it."""

    title: str
    duration: int
    image: ContentFile[bytes] | None
    sound: str
    reminders: list[int] | None


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
    with stored(image) as picture, turn(by) as t:
        room_for_a_session(by.user_id)
        session = new_session(
            t.user, t.now, title=title, duration=duration, sound=sound, reminders=reminders
        )
        _set_picture(session, picture, _size(image))
        return t.record(session, "created")


def edit(session_id: int, changes: Edit, *, by: Actor, seen: int | None = None) -> SessionState:
    """Edits what `changes` names. The duration only while ready, not below the tasks' minutes."""
    with stored(changes.get("image")) as picture, turn(by) as t:
        session = t.open(session_id, seen)
        named: dict[str, Any] = {**changes}
        if "image" in changes:
            named["image"] = picture
        edits = {name: value for name, value in named.items() if getattr(session, name) != value}
        if not edits:
            return t.nothing_changed(session)
        if "duration" in edits:
            _set_duration(session, edits.pop("duration"))
        if "image" in edits:
            discard_on_commit(session.image)
            _set_picture(session, edits.pop("image"), _size(changes["image"]))
        for name, value in edits.items():
            setattr(session, name, value)
        if "reminders" in edits:
            session.arm_reminder(t.now)
        return t.record(session, "edited", {"fields": sorted(changes)})


def repeat(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    """A new ready session like this one, with copies of its tasks, none of them done."""
    copy = _copy_of_picture(session_id, by)
    with stored(copy) as picture, turn(by) as t:
        pattern = t.open(session_id, seen)
        tasks = list(pattern.tasks.all())
        room_for_a_session(by.user_id)
        session = new_session(
            t.user,
            t.now,
            title=pattern.title,
            duration=pattern.duration,
            sound=pattern.sound,
            reminders=pattern.reminders,
        )
        _set_picture(session, picture, _size(copy))
        session.save(force_insert=True)
        room_for_tasks(session, len(tasks))
        Task.objects.bulk_create(
            Task(session=session, title=task.title, duration=task.duration, created_at=t.now)
            for task in tasks
        )
        return t.record(session, "created", {"repeats": pattern.pk})


def delete(session_id: int, *, by: Actor, seen: int | None = None) -> None:
    """Deletes the session with its tasks and its star. Its log stays."""
    with turn(by) as t:
        session = t.open(session_id, seen)
        t.record_deletion(session)


def rearm(user_id: int, **_: Any) -> None:
    """Receiver of `reminders_changed`: arms a running session that uses the profile's reminders.

    That is no change of the session. Reminders before now are not sent again.
    """
    session = (
        Session.objects.owned_by(user_id)
        .filter(status=Status.RUNNING, reminders__isnull=True)
        .select_related("user")
        .select_for_update(of=("self",), no_key=True)
        .first()
    )
    if session is not None:
        session.arm_reminder(clock_time())
        session.save(update_fields=["reminder_at"])


def new_session(user: User, now: datetime, **values: Any) -> Session:
    """A ready session of this user's, made at `now` and not saved yet."""
    return Session(
        user=user,
        created_at=now,
        updated_at=now,
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


def _set_picture(session: Session, name: str, size: int) -> None:
    """Replaces the session's picture by a stored one of `size` bytes; "" and 0 for none."""
    room_for_a_picture(session.user_id, size, instead_of=session)
    session.image, session.image_bytes = name, size


def _size(picture: ContentFile[bytes] | None) -> int:
    return 0 if picture is None else picture.size


def _copy_of_picture(session_id: int, by: Actor) -> ContentFile[bytes] | None:
    """A copy, so that either session can be deleted; None if there is no picture."""
    pattern = Session.objects.owned_by(by.user_id).filter(pk=session_id).first()
    if pattern is None or not pattern.image:
        return None
    try:
        return ContentFile(pattern.image.read())
    except FileNotFoundError:
        log.warning("a stored picture is missing: %s", pattern.image.name)
        return None
    except OSError as error:
        log.error("a picture cannot be read: %s", error)
        raise StorageFailed from None
    finally:
        pattern.image.close()
