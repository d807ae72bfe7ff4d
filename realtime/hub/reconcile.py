"""Heals lost messages: asks the database every 2 s which changes the rooms missed.

One question covers all users connected to this process: which of their revisions are above what
their rooms received, and which logins have ended? Missed changes are read from the log and sent. A
room must be behind in two rounds in a row, because a message on its way is not lost.

Ticks are due meanwhile, so nothing here holds the loop for more than a moment.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time

from django.db import Error as DatabaseError

from accounts.revisions import ChangedSince, changed_since
from realtime.broker.canary import Canary
from realtime.clock import clock
from realtime.database import when_reconciling
from realtime.hub.hub import Hub
from realtime.hub.rooms import Room
from realtime.protocol import messages
from realtime.stats import reconcile_duration, stats
from sessions_app.changes import Change, Missed, Seen, missed_by_all
from sessions_app.epoch import begin_new_epoch, current_epoch
from sessions_app.events import ENDS, SessionChanged
from sessions_app.exceptions import NotFound

log = logging.getLogger(__name__)

ROUND_INTERVAL_S = 2.0  # of the 6 s that are promised, two rounds leave two for a busy machine
# After messages were certainly lost: by then those on their way have come.
NEXT_ROUND_AFTER_LOSS_S = 0.25
ROUND_INTERVAL_LOST_S = 1.0  # no other source tells the devices then
ROUND_INTERVAL_FAILING_S = 1.0  # changes missed meanwhile have waited for long
LOGINS_IN_ROUNDS = 5  # 10 s: a revoked device may stay for 30 s while Redis is away
ROOMS_AT_A_TIME = 250  # then the loop may see to its ticks
HEALED_AT_A_TIME = 50  # some milliseconds each, of the five seconds that the database is given
STEP_WORTH_A_LINE_MS = 10.0


class Reconciler:
    """That of one hub. Setting `messages_lost` starts a round at once."""

    def __init__(self, hub: Hub, canary: Canary, messages_lost: asyncio.Event) -> None:
        self.answers = 0  # of the database, since the start; the watchdog expects it to rise
        self.messages_lost = messages_lost
        self._hub = hub
        self._canary = canary

    async def run(self) -> None:
        """Rounds for ever. A database that is away makes a round fail, not the task."""
        behind: dict[int, int] = {}
        failing = hurried = False
        for count in itertools.count():
            began = time.monotonic()
            try:
                with_logins = hurried or count % LOGINS_IN_ROUNDS == 0
                behind = await self._round(behind, with_logins=with_logins)
                reconcile_duration.observe(time.monotonic() - began)
                hurried = hurried or failing  # after an outage the next round comes soon, too
                failing = False
            except DatabaseError as error:
                stats.rounds_failed += 1
                if not failing:
                    log.warning("cannot reconcile: %s", error)
                failing = True
            except Exception:
                stats.rounds_failed += 1
                log.exception("a round of reconciling failed")
            interval = ROUND_INTERVAL_LOST_S if self._canary.lost_redis else ROUND_INTERVAL_S
            if failing:
                hurried, interval = False, ROUND_INTERVAL_FAILING_S
            hurried = await self._is_hurried(NEXT_ROUND_AFTER_LOSS_S if hurried else interval)

    async def _is_hurried(self, within_s: float) -> bool:
        """Waits so long, or until messages are known to be lost. Whether that was so."""
        try:
            async with asyncio.timeout(within_s):
                await self.messages_lost.wait()
        except TimeoutError:
            return False
        self.messages_lost.clear()
        return True

    async def _round(
        self, ahead_before: dict[int, int], *, with_logins: bool = True
    ) -> dict[int, int]:
        """The revision that each room that is behind should reach by the next round, by user."""
        received, logins = await self._collect(with_logins=with_logins)
        stepped_ms, answer, epoch = await when_reconciling(_ask, received, logins)
        stats.rounds += 1
        self.answers += 1
        if abs(stepped_ms) >= STEP_WORTH_A_LINE_MS:
            stats.clock_steps += 1
            log.warning("a clock was set by %+.3f s: following the database's", stepped_ms / 1000)
        self._close_ended_logins(answer.ended)
        await self._reset_other_epochs(epoch)
        ahead, behind = {}, []
        for user, revision in answer.revisions.items():
            room = self._hub.rooms.get(user)
            if room is None or room.revision is None:
                continue
            if room.revision < ahead_before.get(user, 0):
                behind.append(room)
            elif room.revision < revision:
                ahead[user] = revision
        await self._heal(behind)
        return ahead

    async def _collect(self, *, with_logins: bool) -> tuple[dict[int, int], set[int]]:
        """The revision that each room has received, and the logins of all sockets or of none."""
        received: dict[int, int] = {}
        logins: set[int] = set()
        for count, room in enumerate(list(self._hub.rooms.values()), start=1):
            if room.revision is not None:
                received[room.user_id] = room.revision
            for socket in room.sockets if with_logins else ():
                if (login := socket.login_id) is not None:
                    logins.add(login)
            if count % ROOMS_AT_A_TIME == 0:
                await asyncio.sleep(0)
        return received, logins

    async def _reset_other_epochs(self, epoch: str | None) -> None:
        """Resets the rooms whose revisions are of another epoch of the database."""
        if epoch is None:
            return
        rooms = [room for room in self._hub.rooms.values() if room.epoch not in {None, epoch}]
        for count, room in enumerate(rooms, start=1):
            stats.rooms_reset += 1
            self._hub.reset(room)
            if count % ROOMS_AT_A_TIME == 0:
                await asyncio.sleep(0)
        if rooms:
            log.warning("the database has a new epoch: %s users start over", len(rooms))

    def _close_ended_logins(self, ended: set[int]) -> None:
        """Closes sockets of logins that have ended, where the message was lost."""
        if not ended:
            return
        for socket in self._hub.sockets():
            if socket.login_id in ended and not socket.closing:
                stats.logins_healed += 1
                socket.close_revoked()

    async def _heal(self, behind: list[Room]) -> None:
        """Reads what these rooms missed, some at a time, and sends it to each of them."""
        for first in range(0, len(behind), HEALED_AT_A_TIME):
            rooms = behind[first : first + HEALED_AT_A_TIME]
            seen = [Seen(room.user_id, room.revision or 0) for room in rooms]
            answers = await when_reconciling(missed_by_all, seen)
            self.answers += 1
            lost = []
            for room, missed in zip(rooms, answers, strict=True):
                await asyncio.sleep(0)
                if not isinstance(missed, NotFound) and self._hub.rooms.get(room.user_id) is room:
                    lost.append(self._send_missed(room, missed))
            if any(lost):
                log.warning("%s users missed %s changes, sent them now", len(lost), sum(lost))

    def _send_missed(self, room: Room, missed: Missed) -> int:
        """Sends the room what it missed, without what it received. Gives how many changes."""
        received, up_to = set(room.ahead), room.revision or 0
        lost = missed.revision - up_to - sum(r <= missed.revision for r in received)
        if lost <= 0:
            return 0  # all of it has come meanwhile
        stats.rooms_healed += 1
        stats.changes_healed += lost
        room.received_up_to(missed.revision)
        if missed.reset:
            stats.rooms_reset += 1
            room.reset_sockets()
            return lost
        for change in with_states(room.user_id, missed.changes):
            if change.state is not None:
                self._hub.follow_state(room, change.state, change.revision)
            else:
                self._hub.follow(room, change.session_id, change.version, None, change.revision)
            if change.revision not in received and change.revision > up_to:
                room.deliver(messages.of_change(change).as_text(), change.revision)
        return lost


def _ask(received: dict[int, int], logins: set[int]) -> tuple[float, ChangedSince, str | None]:
    """On a thread, with one connection: the step of a clock in ms, the changes, and the epoch."""
    stepped_ms = clock.measure()
    if not received and not logins:
        return stepped_ms, ChangedSince({}, set()), None
    answer, epoch = changed_since(received, logins), current_epoch()
    if answer.gone_back:
        log.error("the database went back: all devices start over (was `after_restore` run?)")
        epoch = begin_new_epoch(instead_of=epoch)
    return stepped_ms, answer, epoch


def with_states(user_id: int, missed: list[Change]) -> list[SessionChanged]:
    """The changes as they would have been sent: each end, and the newest of each session."""
    newest = {change.session: change for change in missed}
    return [
        SessionChanged(
            user_id=user_id,
            revision=change.revision,
            session_id=change.session,
            version=change.version,
            kind=change.kind,
            at=change.at,
            device=change.device,
            data=change.data,
            state=newest[change.session].state,
            space=change.space,
        )
        for change in missed
        if change is newest[change.session] or change.kind in ENDS
    ]
