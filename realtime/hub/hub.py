"""The rooms of this process: joins sockets, delivers what Redis brings, tells the ticker deadlines.

The first socket of a room joins the user's Redis group, its last one leaves it. Messages for the
user go to each socket of the room.
"""

from __future__ import annotations

import asyncio
from typing import Any

from realtime.delivery.ticker import Ticker
from realtime.hub.rooms import Room, Socket
from realtime.hub.subscription import Subscription
from realtime.protocol.messages import ends_at_ms
from realtime.stats import stats
from sessions_app.events import SessionState

JOIN_INTERVAL_S = 2.5


class Hub:
    """That of one event loop; `background.Node` makes it."""

    def __init__(self, subscription: Subscription, ticker: Ticker) -> None:
        self.rooms: dict[int, Room] = {}
        self.ticker = ticker
        self._subscription = subscription

    def sockets(self) -> list[Socket]:
        return [socket for room in self.rooms.values() for socket in room.sockets]

    # -- joining and leaving ---------------------------------------------------------------------

    async def join(self, user_id: int, socket: Socket) -> Room:
        """Puts the socket into its user's room, and the room into its Redis group if possible."""
        room = self.rooms.get(user_id)
        if room is None:
            room = self.rooms[user_id] = Room(user_id)
        room.sockets.add(socket)
        room.outboxes[socket.outbox] = None
        if not room.joined:
            await self._join_group(room)
        return room

    async def leave(self, room: Room, socket: Socket) -> None:
        room.sockets.discard(socket)
        room.outboxes.pop(socket.outbox, None)
        if room.sockets or self.rooms.get(room.user_id) is not room:
            return
        del self.rooms[room.user_id]
        for session in room.versions:
            self.ticker.forget(session)
        if room.joined:
            await self._subscription.leave(room.user_id)
            again = self.rooms.get(room.user_id)
            if again is not None:  # another socket of the user joined meanwhile
                await self._join_group(again)

    async def _join_group(self, room: Room) -> None:
        """Joins the user's group. If that fails, `keep_joined` tries again."""
        room.joined = await self._subscription.join(room.user_id)

    async def keep_joined(self) -> None:
        """Joins, for ever, the groups that could not be joined when their first socket came."""
        while True:
            await asyncio.sleep(JOIN_INTERVAL_S)
            waiting = [room for room in self.rooms.values() if not room.joined]
            if not waiting or self._subscription.canary.lost_redis:
                continue
            first, *others = waiting
            await self._join_group(first)
            stats.joins_retried += 1
            if first.joined:  # else Redis is away, and one wait for it is enough
                await asyncio.gather(*map(self._join_group, others))
                stats.joins_retried += len(others)

    # -- messages from Redis ---------------------------------------------------------------------

    def on_message(self, message: dict[str, Any]) -> None:
        """A change, a reminder or a revocation, as `broker/publisher.py` sends it."""
        room = self.rooms.get(message["user"])
        if room is None:
            return
        if message["kind"] == "revoked":
            self._revoke(room, message["login"])
            return
        if message["kind"] == "change":
            revision = message["revision"]
            # A change older than what was read does not move the ticks: a later one may be lost.
            is_news = room.revision is None or revision > room.revision
            room.received(revision)
            if is_news:
                session, version = message["session"], message["version"]
                self.follow(room, session, version, message["ends_at_ms"], revision)
        room.deliver(message["frame"], message.get("revision"))

    def _revoke(self, room: Room, login_id: int | None) -> None:
        for socket in tuple(room.sockets):
            if login_id in {None, socket.login_id}:
                socket.close_revoked()

    # -- what the room knows ---------------------------------------------------------------------

    def reset(self, room: Room) -> None:
        """The room's revisions are of another epoch: it drops them, and each socket reads again."""
        for session in room.versions:
            self.ticker.forget(session)
        room.versions.clear()
        room.ticking.clear()
        room.ahead.clear()
        room.revision = room.epoch = None
        room.reset_sockets()

    def state_read(
        self, room: Room, revision: int, active: SessionState | None, epoch: str | None = None
    ) -> None:
        """One socket has read its user's state at this revision."""
        room.read_by_one(revision, epoch)
        for session, said_at in list(room.ticking.items()):
            if said_at <= revision and (active is None or session != active.id):
                # The message that this session runs came late, and the one that ended it was lost.
                self.ticker.forget(session)
                del room.ticking[session]
        if active is not None:
            self.follow_state(room, active, revision)

    def follow(
        self, room: Room, session: int, version: int, ends_at_ms: int | None, revision: int
    ) -> None:
        """Ticks follow the session's new deadline, or stop. An older version changes nothing."""
        if version < room.versions.get(session, 0):
            return
        room.versions[session] = version
        if ends_at_ms is None:
            room.ticking.pop(session, None)
            self.ticker.forget(session)
        else:
            room.ticking[session] = revision
            self.ticker.follow(session, version, ends_at_ms, room.outboxes.keys())

    def follow_state(self, room: Room, state: SessionState, revision: int | None = None) -> None:
        """The same for a state. `revision` None: it is newer than all that the room received."""
        if revision is None:
            revision = (room.revision or 0) + 1
        self.follow(room, state.id, state.timer.version, ends_at_ms(state), revision)
