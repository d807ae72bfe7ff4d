"""Changes that a device has missed: all of its user's since the revision that it has seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from accounts.models import User
from runtime.database.clock import ClockTimestamp, clock_time
from sessions_app.epoch import current_epoch
from sessions_app.events import ChangeKind, Instant, SessionState, SpaceState, TaskState, Value
from sessions_app.exceptions import NotFound
from sessions_app.models import Session, SessionEvent, Space, Task

MAX_CHANGES = 200  # a device that missed more loads its lists
MAX_TASKS = 500  # of the changed sessions; the same
MAX_REREADS = 3  # where the user makes changes meanwhile; a newer state than its change is valid


class Change(Value, frozen=True, kw_only=True):
    """A row of the log. Only the newest change of each existing session has a `state`."""

    revision: int
    session: int
    version: int
    kind: ChangeKind
    at: Instant
    device: str
    data: dict[str, Any]
    state: SessionState | None = None
    space: SpaceState | None = None  # of an end: the star or planet


class Missed(Value, frozen=True, kw_only=True):
    """The changes after `since`, oldest first. `reset`: the device must load its lists."""

    epoch: str
    revision: int
    reset: bool
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a device of the user has seen; see `missed`."""

    user_id: int
    since: int | None = None
    epoch: str | None = None


def active_sessions(user_ids: Collection[int]) -> dict[int, SessionState]:
    """The running or paused session of each of these users who has one. Three queries."""
    of_users = Session.objects.filter(user_id__in=user_ids).active()
    active: list[Any] = list(of_users.annotate(read_at=ClockTimestamp()))
    if not active:
        return {}
    # Prefetching would make a query set for each session: half of the cost for thousands.
    tasks: dict[int, list[TaskState]] = defaultdict(list)
    for task in Task.objects.filter(session_id__in=[s.pk for s in active]):
        tasks[task.session_id].append(task.state())
    moved = _moved({s.pk: s.version for s in active})
    again = active_sessions({s.user_id for s in active if s.pk in moved}) if moved else {}
    still = {s.user_id: s.state(s.read_at, tasks[s.pk]) for s in active if s.pk not in moved}
    return still | again


def _moved(versions: dict[int, int]) -> set[int]:
    """The sessions that no longer have these versions.

    Their tasks were read after them, so they may be those of a newer version.
    """
    now = dict(Session.objects.filter(pk__in=versions).values_list("pk", "version"))
    return {pk for pk, version in versions.items() if now.get(pk) != version}


def missed(user_id: int, *, since: int | None, epoch: str | None = None) -> Missed:
    """The changes that the user's device has not seen. `since` None: it must load its lists.

    An `epoch` of None is not checked. Raises `NotFound` for a user who is gone.
    """
    (answer,) = missed_by_all([Seen(user_id, since, epoch)])
    if isinstance(answer, NotFound):
        raise answer
    return answer


def missed_by_all(seen: Sequence[Seen]) -> list[Missed | NotFound]:
    """The same for many devices. Two queries, and some for each device that missed changes."""
    here = current_epoch()
    users = User.objects.filter(pk__in={device.user_id for device in seen})
    revisions = dict(users.values_list("pk", "revision"))
    return [_missed_by(device, here, revisions.get(device.user_id)) for device in seen]


def _missed_by(seen: Seen, here: str, revision: int | None) -> Missed | NotFound:
    if revision is None:
        return NotFound()
    since = seen.since
    if since is None or seen.epoch not in {None, here} or not 0 <= revision - since <= MAX_CHANGES:
        return Missed(epoch=here, revision=revision, reset=True, changes=[])
    changes = _changes(seen.user_id, since, revision) if since < revision else []
    for _ in range(MAX_REREADS):
        if changes is None or (all(map(_state_is_its_own, changes)) and not _moved_since(changes)):
            break
        # Another change was made between reading the log and reading the states.
        revision = User.objects.filter(pk=seen.user_id).values_list("revision", flat=True).first()
        if revision is None:
            return NotFound()
        changes = _changes(seen.user_id, since, revision)
    if changes is None:
        return Missed(epoch=here, revision=revision, reset=True, changes=[])
    return Missed(epoch=here, revision=revision, reset=False, changes=changes)


def _moved_since(changes: list[Change]) -> set[int]:
    versions = {c.state.id: c.state.timer.version for c in changes if c.state is not None}
    return _moved(versions) if versions else set()


def _state_is_its_own(change: Change) -> bool:
    return change.state is None or change.state.timer.version == change.version


def _have_too_many_tasks(ids: set[int]) -> bool:
    """Counts only where the quota allows so many tasks, which is seldom."""
    if len(ids) * settings.QUOTA_TASKS <= MAX_TASKS:
        return False
    return Task.objects.filter(session_id__in=ids)[: MAX_TASKS + 1].count() > MAX_TASKS


def _changes(user_id: int, since: int, until: int) -> list[Change] | None:
    """None if they are too many, or if some of them have been purged."""
    rows = list(
        SessionEvent.objects.filter(
            user_id=user_id, revision__gt=since, revision__lte=until
        ).order_by("revision")
    )
    if len(rows) < until - since:
        return None  # revisions have no gaps: the others have been purged
    ids = {row.session_id for row in rows}
    if _have_too_many_tasks(ids):
        return None
    now = clock_time()
    sessions = Session.objects.owned_by(user_id).filter(pk__in=ids).prefetch_related("tasks")
    states = {s.pk: s.state(now) for s in sessions}
    bodies = {
        b.pk: b.state() for b in Space.objects.filter(session_id__in=ids).select_related("session")
    }
    newest = {row.session_id: row.revision for row in rows}
    return [
        Change(
            revision=row.revision,
            session=row.session_id,
            version=row.version,
            kind=row.kind,  # type: ignore[arg-type]
            at=row.at,
            device=row.device,
            data=row.data,
            state=states.get(row.session_id) if newest[row.session_id] == row.revision else None,
            space=bodies.get(row.data.get("space")),
        )
        for row in rows
    ]
