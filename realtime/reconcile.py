"""Heals lost messages by asking the database now and then.

One query for all users connected to this process: whose revision moved past what their room has
heard? What was missed is read from the log and sent. A revision must be behind in two rounds in a
row: a message that is on its way is not lost.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from django.db import Error as DatabaseError

from accounts.models import Login, User
from realtime import messages
from realtime.clock import clock
from realtime.database import when_reconciling
from sessions_app import changes
from sessions_app.changes import Change, Missed
from sessions_app.events import ENDS, SessionChanged

if TYPE_CHECKING:
    from realtime.hub import Hub, Room

log = logging.getLogger(__name__)

EVERY_S = 2.5  # two rounds and some work are less than the 6 s that are promised


async def keep_reconciled(hub: Hub) -> None:
    """Rounds for ever. A database that is away makes a round fail, not the task."""
    behind: dict[int, int] = {}
    failing = False
    while True:
        try:
            behind = await _round(hub, behind)
            failing = False
        except DatabaseError as error:
            if not failing:
                log.warning("cannot reconcile: %s", error)
            failing = True
        except Exception:
            log.exception("a round of reconciling failed")
        await asyncio.sleep(EVERY_S)


async def _round(hub: Hub, ahead_before: dict[int, int]) -> dict[int, int]:
    """Gives, for each room that is behind, the revision that it should reach by the next round."""
    await when_reconciling(clock.measure)
    for room in [r for r in hub.rooms.values() if not r.joined]:
        await hub.join_group(room)
        if not room.joined:
            break  # Redis is away: to wait for it once a round is enough
    rooms = {user: room for user, room in hub.rooms.items() if room.revision is not None}
    if not rooms:
        return {}
    await _close_ended_logins(hub)
    revisions = await when_reconciling(_revisions, list(rooms))
    ahead = {}
    for user, room in rooms.items():
        heard = room.revision or 0
        if heard < ahead_before.get(user, 0):
            await _heal(hub, room, heard)
        elif heard < revisions.get(user, 0):
            ahead[user] = revisions[user]
    return ahead


async def _close_ended_logins(hub: Hub) -> None:
    """The sockets of logins that have ended, where the message that said so was lost."""
    sockets = hub.sockets()
    standing = await when_reconciling(
        _standing, [s.login_id for s in sockets if s.login_id is not None]
    )
    for socket in sockets:
        if socket.login_id is not None and socket.login_id not in standing:
            socket.revoked()


async def _heal(hub: Hub, room: Room, heard: int) -> None:
    """Tells the room what it missed, and nothing that it has heard."""
    missed: Missed = await when_reconciling(changes.missed, room.user_id, since=heard)
    if hub.rooms.get(room.user_id) is not room:
        return  # everybody has left meanwhile
    log.warning("user %s missed some of %s changes", room.user_id, len(missed.changes))
    heard_already, heard_up_to = set(room.ahead), room.revision or 0
    room.heard_up_to(missed.revision)
    if missed.reset:
        for socket in tuple(room.sockets):
            socket.start_over()
        return
    for change in with_states(room.user_id, missed.changes):
        if change.state is not None:
            hub.follow_state(room, change.state)
        else:
            hub.follow(room, change.session, change.version, None)
        if change.revision in heard_already or change.revision <= heard_up_to:
            continue
        frame = messages.of_change(change).as_text()
        for socket in tuple(room.sockets):
            socket.told(frame, change.revision)


def with_states(user_id: int, missed: list[Change]) -> list[SessionChanged]:
    """The changes as they would have been told: each end, and the newest of each session."""
    newest = {change.session: change for change in missed}
    return [
        SessionChanged(
            user=user_id,
            revision=change.revision,
            session=change.session,
            version=change.version,
            cause=change.kind,
            at=change.at,
            device=change.device,
            state=newest[change.session].state,
            space=change.space,
            late_ms=change.data.get("late_ms"),
        )
        for change in missed
        if change is newest[change.session] or change.kind in ENDS
    ]


def _revisions(users: list[int]) -> dict[int, int]:
    return dict(User.objects.filter(pk__in=users).values_list("pk", "revision"))


def _standing(logins: list[int]) -> set[int]:
    return set(Login.objects.standing().filter(pk__in=logins).values_list("pk", flat=True))
