"""The tables. Constraints forbid invalid states; the QuerySet has the queries."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import OuterRef, Q
from django.db.models.functions import JSONObject
from django.templatetags.static import static

from accounts.models import User
from runtime.database.clock import ClockTimestamp
from sessions_app.countdown import ACTIVE, Countdown, Status
from sessions_app.events import SessionState, SpaceState, TaskState, TimerState
from sessions_app.reminders import next_reminder

MILLISECOND = timedelta(milliseconds=1)
LONGEST_MINUTES = 24 * 60


def in_ms(length: timedelta) -> int:
    return length // MILLISECOND


class SessionQuerySet(models.QuerySet["Session"]):
    def owned_by(self, user_id: int) -> SessionQuerySet:
        """Permission is part of the query: other users' sessions are not found."""
        return self.filter(user_id=user_id)

    def active(self) -> SessionQuerySet:
        return self.filter(status__in=ACTIVE)

    def in_status(self, statuses: Collection[str] | None) -> SessionQuerySet:
        """Those in one of `statuses`; all of them for None."""
        return self if statuses is None else self.filter(status__in=statuses)

    def for_show(self) -> models.QuerySet[Any]:
        """With all that `shown` needs, in one statement.

        Tasks that were read in a second statement could be those of the next version.
        """
        tasks = Task.objects.filter(session=OuterRef("pk")).values(
            json=JSONObject(**{name: name for name in TaskState.__struct_fields__})
        )
        return self.annotate(read_at=ClockTimestamp(), tasks_read=ArraySubquery(tasks))


class Session(models.Model):
    """A focus session and its countdown.

    `version` counts the changes of the session and its tasks; each has a row in `SessionEvent`.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    title = models.CharField(max_length=100)
    duration = models.PositiveSmallIntegerField()  # whole minutes, as planned before the start
    image = models.FileField(upload_to="sessions/", max_length=120, blank=True)
    # For the quota. 0 with a picture: stored by a version of Space that did not measure it.
    image_bytes = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    sound = models.CharField(max_length=100, blank=True)
    reminders = models.JSONField(null=True)  # seconds before the end; None: as the user's profile
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()  # the database's clock at the last change
    version = models.PositiveIntegerField(default=0)
    # A trigger on Task keeps it, so that the check below holds under any concurrency.
    task_minutes = models.PositiveIntegerField(default=0, editable=False)

    status = models.CharField(
        max_length=9, choices=[(s.value, s.value) for s in Status], default=Status.READY.value
    )
    planned_ms = models.PositiveBigIntegerField()  # the duration and every extension
    ends_at = models.DateTimeField(null=True)
    remaining_ms = models.PositiveBigIntegerField(null=True)
    focused_ms = models.PositiveBigIntegerField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reminder_at = models.DateTimeField(null=True)  # the next reminder of this deadline

    objects: ClassVar[models.Manager[Session]] = SessionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(status__in=[Status.RUNNING.value, Status.PAUSED.value]),
                name="one_active_session_per_user",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.RUNNING.value, ends_at__isnull=False)
                | (~Q(status=Status.RUNNING.value) & Q(ends_at__isnull=True)),
                name="deadline_only_while_running",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.PAUSED.value, remaining_ms__isnull=False)
                | (~Q(status=Status.PAUSED.value) & Q(remaining_ms__isnull=True)),
                name="remaining_only_while_paused",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=["completed", "finished", "cancelled"],
                    focused_ms__isnull=False,
                    ended_at__isnull=False,
                )
                | Q(
                    status__in=["ready", "running", "paused"],
                    focused_ms__isnull=True,
                    ended_at__isnull=True,
                ),
                name="end_only_once_ended",
            ),
            models.CheckConstraint(
                condition=Q(reminder_at__isnull=True) | Q(ends_at__isnull=False),
                name="reminder_only_while_running",
            ),
            models.CheckConstraint(
                condition=Q(duration__gte=1, duration__lte=LONGEST_MINUTES),
                name="duration_in_range",
            ),
            models.CheckConstraint(
                condition=Q(task_minutes__lte=models.F("duration")),
                name="task_minutes_within_duration",
            ),
        ]
        indexes = [
            # A timekeeper reads the head of these only, however many sessions run.
            models.Index(fields=["ends_at"], condition=Q(status="running"), name="session_due"),
            models.Index(
                fields=["reminder_at"],
                condition=Q(reminder_at__isnull=False),
                name="session_reminder_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.status})"

    @property
    def countdown(self) -> Countdown:
        return Countdown(
            status=Status(self.status),
            planned=self.planned_ms * MILLISECOND,
            ends_at=self.ends_at,
            remaining=None if self.remaining_ms is None else self.remaining_ms * MILLISECOND,
            focused=None if self.focused_ms is None else self.focused_ms * MILLISECOND,
            started_at=self.started_at,
            ended_at=self.ended_at,
        )

    def take(self, after: Countdown, now: datetime) -> None:
        """Applies the result of a rule, and arms the reminders of a new deadline."""
        moved = after.ends_at != self.ends_at
        self.status = after.status.value
        self.planned_ms = in_ms(after.planned)
        self.ends_at = after.ends_at
        self.remaining_ms = None if after.remaining is None else in_ms(after.remaining)
        self.focused_ms = None if after.focused is None else in_ms(after.focused)
        self.started_at = after.started_at
        self.ended_at = after.ended_at
        if moved:
            self.arm_reminder(now)

    def arm_reminder(self, after: datetime) -> None:
        self.reminder_at = next_reminder(self.ends_at, self.reminder_offsets, after)

    @property
    def reminder_offsets(self) -> list[int]:
        """Seconds before the end: of the session itself, or of its user's profile."""
        return list(self.user.reminders if self.reminders is None else self.reminders)

    def shown(self) -> SessionState:
        """The state of a session that was read by `for_show`."""
        read: Any = self
        tasks = [TaskState.from_json(task) for task in read.tasks_read]
        return self.state(read.read_at, tasks)

    def state(self, now: datetime, tasks: list[TaskState] | None = None) -> SessionState:
        """The state at `now`, but never before the last change.

        `tasks`: their states, if they have been read already.
        """
        if tasks is None:
            tasks = [task.state() for task in self.tasks.all()]
        now = max(now, self.updated_at)
        countdown = self.countdown
        return SessionState(
            id=self.pk,
            title=self.title,
            duration=self.duration,
            image=public_url(self.image.url) if self.image else None,
            sound=self.sound,
            created_at=self.created_at,
            user=self.user_id,
            reminders=self.reminders,
            tasks=tasks,
            timer=TimerState(
                status=self.status,  # type: ignore[arg-type]
                version=self.version,
                remaining_ms=in_ms(countdown.remaining_at(now)),
                ends_at=self.ends_at,
                started_at=self.started_at,
                ended_at=self.ended_at,
                focused_ms=in_ms(countdown.focused_at(now)),
                planned_ms=self.planned_ms,
                server_time=now,
            ),
        )


class Task(models.Model):
    """A task within a session; `duration` in whole minutes."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tasks")
    title = models.CharField(max_length=100)
    duration = models.PositiveSmallIntegerField()
    done = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(duration__gte=1), name="task_takes_a_minute"),
        ]

    def __str__(self) -> str:
        return self.title

    def state(self) -> TaskState:
        return TaskState(
            id=self.pk,
            title=self.title,
            duration=self.duration,
            session=self.session_id,
            created_at=self.created_at,
            done=self.done,
        )


class Space(models.Model):
    """The star or planet that a session became. `sky` is the first day of its month."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="spaces")
    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="space")
    type = models.CharField(max_length=6, choices=[("star", "star"), ("planet", "planet")])
    sky = models.DateField()
    seed = models.PositiveIntegerField()
    x = models.PositiveSmallIntegerField()
    y = models.PositiveSmallIntegerField()
    radius = models.PositiveSmallIntegerField()
    hue = models.PositiveSmallIntegerField()
    look = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["user", "sky"], name="space_of_a_month")]

    def __str__(self) -> str:
        return f"{self.type} at {self.x}, {self.y}"

    def state(self) -> SpaceState:
        return SpaceState(
            id=self.pk,
            session=self.session_id,
            type=self.type,  # type: ignore[arg-type]
            x=self.x,
            y=self.y,
            image=public_url(_picture(f"sky/{self.type}-{self.look}.svg")),
            created_at=self.created_at,
            title=self.session.title,
            focused_minutes=(self.session.focused_ms or 0) // 60_000,
            radius=self.radius,
            hue=self.hue,
            seed=self.seed,
            month=f"{self.sky:%Y-%m}",
        )


class SessionEvent(models.Model):
    """One change of a session: history, source of resync, and outbox. It outlives the session.

    `at` is the database's clock at the change, never the deadline: for an end, `at` less the
    session's `ended_at` is how late it was recorded.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="session_events")
    revision = models.PositiveBigIntegerField()
    session_id = models.BigIntegerField()  # no foreign key: the session may be gone
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=12)
    at = models.DateTimeField()
    device = models.CharField(max_length=64, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["session_id", "version"], name="version_unique_per_session"
            ),
            models.UniqueConstraint(fields=["user", "revision"], name="revision_unique_per_user"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.session_id} v{self.version}"


class IdempotencyKey(models.Model):
    """The answer to the first request with this key, kept for 24 hours."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the request
    outcome: models.JSONField[Any, Any] = models.JSONField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_unique_per_user")
        ]

    def __str__(self) -> str:
        return self.key


class Epoch(models.Model):
    """The epoch of this database (one row); see `epoch.py`."""

    value = models.UUIDField(default=uuid.uuid4)

    def __str__(self) -> str:
        return str(self.value)


@cache
def _picture(name: str) -> str:
    """Cached: making the URL takes longer than the rest of a body's state."""
    return static(name)


def public_url(path: str) -> str:
    """Absolute where `PUBLIC_URL` is set: a timekeeper has no request to take a host from."""
    return path if path.startswith("http") else f"{settings.PUBLIC_URL}{path}"
