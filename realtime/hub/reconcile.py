"""Heals lost messages by asking the database now and then.

One question for all users connected to this process: whose revision moved past what their room has
heard, and which logins of theirs have ended? What was missed is read from the log and sent. A
revision must be behind in two rounds in a row: a message that is on its way is not lost.

Ticks are due meanwhile, so nothing here holds the loop for more than a moment.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from typing import TYPE_CHECKING

from django.db import Error as DatabaseError

from accounts.revisions import ChangedSince, changed_since
from realtime.clock import clock
from realtime.database import when_reconciling
from realtime.protocol import messages
from realtime.stats import reconcile_duration, stats
from sessions_app.changes import Change, Missed, Seen, missed_by_all
from sessions_app.epoch import begin_new_epoch, current_epoch
from sessions_app.events import ENDS, SessionChanged
from sessions_app.exceptions import NotFound

if TYPE_CHECKING:
    from realtime.hub.hub import Hub, Room

log = logging.getLogger(__name__)

EVERY_S = 2.0  # of the 6 s that are promised two rounds leave two, for a machine that is busy
# After something was certainly lost: by then what is only on its way has come, and the rest waits
# no longer.
AGAIN_S = 0.25
EVERY_S_WHEN_DEAF = 1.0  # nobody else tells the devices then
EVERY_S_WHEN_FAILING = 1.0  # whatever was missed meanwhile has waited for long
JOIN_EVERY_S = 2.5
LOGINS_IN_ROUNDS = 5  # 10 s: whoever is signed out while Redis is away may stay for 30
ROOMS_AT_A_TIME = 250  # then the loop may see to its ticks
HEALED_AT_A_TIME = 50  # some milliseconds each, of the five seconds that the database is given
STEP_WORTH_A_LINE_MS = 10.0


async def keep_joined(hub: Hub) -> None:
    """Joins, for ever, the groups that could not be joined when their first socket came."""
    while True:
        await asyncio.sleep(JOIN_EVERY_S)
        waiting = [room for room in hub.rooms.values() if not room.joined]
        if not waiting or hub.canary.is_deaf:
            continue
        first, *others = waiting
        await hub.join_group(first)
        stats.joins_retried += 1
        if first.joined:  # else Redis is away: to wait for it once is enough
            await asyncio.gather(*map(hub.join_group, others))
            stats.joins_retried += len(others)


async def keep_reconciled(hub: Hub) -> None:
    """Rounds for ever. A database that is away makes a round fail, not the task."""
    behind: dict[int, int] = {}
    failing = called = False
    for count in itertools.count():
        began = time.monotonic()
        try:
            behind = await _round(hub, behind, with_logins=called or count % LOGINS_IN_ROUNDS == 0)
            reconcile_duration.observe(time.monotonic() - began)
            called = called or failing  # the first one that succeeds is as good as a call
            failing = False
        except DatabaseError as error:
            stats.rounds_failed += 1
            if not failing:
                log.warning("cannot reconcile: %s", error)
            failing = True
        except Exception:
            stats.rounds_failed += 1
            log.exception("a round of reconciling failed")
        every = EVERY_S_WHEN_DEAF if hub.canary.is_deaf else EVERY_S
        if failing:
            called, every = False, EVERY_S_WHEN_FAILING
        called = await _called(hub, within_s=AGAIN_S if called else every)


async def _called(hub: Hub, within_s: float) -> bool:
    """Whether somebody knows that messages were lost, and does not want to wait."""
    try:
        async with asyncio.timeout(within_s):
            await hub.messages_lost.wait()
    except TimeoutError:
        return False
    hub.messages_lost.clear()
    return True


async def _round(
    hub: Hub, ahead_before: dict[int, int], *, with_logins: bool = True
) -> dict[int, int]:
    """Gives, for each room that is behind, the revision that it should reach by the next round."""
    heard, logins = await _look_around(hub, with_logins=with_logins)
    stepped_ms, answer, epoch = await when_reconciling(_ask, heard, logins)
    stats.rounds += 1
    hub.rounds += 1
    if abs(stepped_ms) >= STEP_WORTH_A_LINE_MS:
        stats.clock_steps += 1
        log.warning("a clock was set by %+.3f s: following the database's", stepped_ms / 1000)
    _close_ended_logins(hub, answer.ended)
    await _start_over(hub, epoch)
    ahead, behind = {}, []
    for user, revision in answer.revisions.items():
        room = hub.rooms.get(user)
        if room is None or room.revision is None:
            continue
        if room.revision < ahead_before.get(user, 0):
            behind.append(room)
        elif room.revision < revision:
            ahead[user] = revision
    await _heal(hub, behind)
    return ahead


async def _look_around(hub: Hub, *, with_logins: bool) -> tuple[dict[int, int], set[int]]:
    """The revision that each room has heard of, and the logins of all sockets or of none."""
    heard: dict[int, int] = {}
    logins: set[int] = set()
    for count, room in enumerate(list(hub.rooms.values()), start=1):
        if room.revision is not None:
            heard[room.user_id] = room.revision
        for socket in room.sockets if with_logins else ():
            if (login := socket.login_id) is not None:
                logins.add(login)
        if count % ROOMS_AT_A_TIME == 0:
            await asyncio.sleep(0)
    return heard, logins


def _ask(heard: dict[int, int], logins: set[int]) -> tuple[float, ChangedSince, str | None]:
    """On a thread, with one connection: what the clock says, what moved, and in which life."""
    stepped_ms = clock.measure()
    if not heard and not logins:
        return stepped_ms, ChangedSince({}, set()), None
    answer, epoch = changed_since(heard, logins), current_epoch()
    if answer.gone_back:
        log.error("the database went back: all devices start over (was `after_restore` run?)")
        epoch = begin_new_epoch(instead_of=epoch)
    return stepped_ms, answer, epoch


async def _start_over(hub: Hub, epoch: str | None) -> None:
    """The rooms whose numbers are of another life of the database."""
    if epoch is None:
        return
    rooms = [room for room in hub.rooms.values() if room.epoch not in {None, epoch}]
    for count, room in enumerate(rooms, start=1):
        stats.rooms_reset += 1
        hub.start_over(room)
        if count % ROOMS_AT_A_TIME == 0:
            await asyncio.sleep(0)
    if rooms:
        log.warning("the database lives anew: %s users start over", len(rooms))


def _close_ended_logins(hub: Hub, ended: set[int]) -> None:
    """The sockets of logins that have ended, where the message that said so was lost."""
    if not ended:
        return
    for socket in hub.sockets():
        if socket.login_id in ended and not socket.closing:
            stats.logins_healed += 1
            socket.revoked()


async def _heal(hub: Hub, behind: list[Room]) -> None:
    """Reads what these rooms missed, some at a time, and tells each of them."""
    for first in range(0, len(behind), HEALED_AT_A_TIME):
        rooms = behind[first : first + HEALED_AT_A_TIME]
        seen = [Seen(room.user_id, room.revision or 0) for room in rooms]
        answers = await when_reconciling(missed_by_all, seen)
        hub.rounds += 1
        lost = []
        for room, missed in zip(rooms, answers, strict=True):
            await asyncio.sleep(0)
            if not isinstance(missed, NotFound) and hub.rooms.get(room.user_id) is room:
                lost.append(_tell(hub, room, missed))
        if any(lost):
            log.warning("%s users missed %s changes, told them now", len(lost), sum(lost))


def _tell(hub: Hub, room: Room, missed: Missed) -> int:
    """Tells the room what it missed, and nothing that it has heard. Gives how many changes."""
    heard_already, heard_up_to = set(room.ahead), room.revision or 0
    lost = missed.revision - heard_up_to - sum(r <= missed.revision for r in heard_already)
    if lost <= 0:
        return 0  # all of it has come meanwhile
    stats.rooms_healed += 1
    stats.changes_healed += lost
    room.heard_up_to(missed.revision)
    if missed.reset:
        stats.rooms_reset += 1
        for socket in tuple(room.sockets):
            socket.start_over()
        return lost
    for change in with_states(room.user_id, missed.changes):
        if change.state is not None:
            hub.follow_state(room, change.state, change.revision)
        else:
            hub.follow(room, change.session, change.version, None, change.revision)
        if change.revision in heard_already or change.revision <= heard_up_to:
            continue
        frame = messages.of_change(change).as_text()
        for socket in tuple(room.sockets):
            socket.told(frame, change.revision)
    return lost


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
