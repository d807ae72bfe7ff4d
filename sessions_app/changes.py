"""What a device missed: everything of its user's since the revision that it has seen."""

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

MOST = 200  # changes; beyond that a device loads its lists afresh
MOST_TASKS = 500  # of the sessions that changed; the same
MORE_LOOKS = 3  # where the user does something while we read; a state newer than its change is true


class Change(Value, frozen=True, kw_only=True):
    """A row of the log. `state` stands on the newest change of each session that still exists."""

    revision: int
    session: int
    version: int
    kind: ChangeKind
    at: Instant
    device: str
    data: dict[str, Any]
    state: SessionState | None = None
    space: SpaceState | None = None  # of an end: what the session became


class Missed(Value, frozen=True, kw_only=True):
    """The answer to "I have seen `since`": oldest first; `reset` means: load the lists afresh."""

    epoch: str
    revision: int
    reset: bool
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a device of the user says that it has seen: see `missed`."""

    user_id: int
    since: int | None = None
    epoch: str | None = None


def active_sessions(user_ids: Collection[int]) -> dict[int, SessionState]:
    """The running or paused session of each of these users who has one. Three queries."""
    of_users = Session.objects.filter(user_id__in=user_ids).active()
    active: list[Any] = list(of_users.annotate(read_at=ClockTimestamp()))
    if not active:
        return {}
    # Not by prefetching, which makes a query set for each session: half of the cost, for thousands.
    tasks: dict[int, list[TaskState]] = defaultdict(list)
    for task in Task.objects.filter(session_id__in=[s.pk for s in active]):
        tasks[task.session_id].append(task.state())
    moved = _moved({s.pk: s.version for s in active})
    again = active_sessions({s.user_id for s in active if s.pk in moved}) if moved else {}
    still = {s.user_id: s.state(s.read_at, tasks[s.pk]) for s in active if s.pk not in moved}
    return still | again


def _moved(versions: dict[int, int]) -> set[int]:
    """The sessions that have these versions no more. Their tasks, which are read after them, may
    be those of another version: a version has one state, whoever reads it."""
    now = dict(Session.objects.filter(pk__in=versions).values_list("pk", "version"))
    return {pk for pk, version in versions.items() if now.get(pk) != version}


def missed(user_id: int, *, since: int | None, epoch: str | None = None) -> Missed:
    """What the user's device has not seen. `since` None: it has seen nothing, and loads its lists.

    An `epoch` of None is not checked. Raises `NotFound` for a user who is gone.
    """
    (answer,) = missed_by_all([Seen(user_id, since, epoch)])
    if isinstance(answer, NotFound):
        raise answer
    return answer


def missed_by_all(seen: Sequence[Seen]) -> list[Missed | NotFound]:
    """The same for many devices. Two queries, and those of each device that did miss something."""
    here = current_epoch()
    users = User.objects.filter(pk__in={device.user_id for device in seen})
    revisions = dict(users.values_list("pk", "revision"))
    return [_missed_by(device, here, revisions.get(device.user_id)) for device in seen]


def _missed_by(seen: Seen, here: str, revision: int | None) -> Missed | NotFound:
    if revision is None:
        return NotFound()
    since = seen.since
    if since is None or seen.epoch not in {None, here} or not 0 <= revision - since <= MOST:
        return Missed(epoch=here, revision=revision, reset=True, changes=[])
    changes = _changes(seen.user_id, since, revision) if since < revision else []
    for _ in range(MORE_LOOKS):
        if changes is None or (all(map(_state_is_its_own, changes)) and not _moved_since(changes)):
            break
        # The log was read before the states, and something has happened between the two.
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
    """Asked only of more sessions than could not have too many, that is, seldom."""
    if len(ids) * settings.QUOTA_TASKS <= MOST_TASKS:
        return False
    return Task.objects.filter(session_id__in=ids)[: MOST_TASKS + 1].count() > MOST_TASKS


def _changes(user_id: int, since: int, until: int) -> list[Change] | None:
    """None: to tell of them would be too much at once, or some are known no more."""
    rows = list(
        SessionEvent.objects.filter(
            user_id=user_id, revision__gt=since, revision__lte=until
        ).order_by("revision")
    )
    if len(rows) < until - since:
        return None  # revisions have no gaps: these are forgotten
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
