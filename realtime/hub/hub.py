"""Who is watching in this process, and the one ear that it has on Redis.

A room holds the sockets of one user here. Its first socket joins the user's Redis group, its last
one leaves it; whatever comes for the user is handed to each socket of the room. One channel and one
reading task per process: Redis being away costs the sockets nothing but the news.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from django.conf import settings

from realtime.broker import channel_layer as groups
from realtime.broker.canary import Canary
from realtime.broker.channel_layer import channel_layer
from realtime.broker.connection import hear_anew, tell_nobody, tell_when_connected_anew
from realtime.clock import clock
from realtime.delivery.outbox import Outbox
from realtime.delivery.ticker import Ticker
from realtime.hub.admission import Entrance
from realtime.hub.batching import Batches
from realtime.hub.draining import is_draining
from realtime.hub.unauthenticated import Strangers
from realtime.protocol.limits import Comings
from realtime.stats import stats
from sessions_app.events import SessionState

log = logging.getLogger(__name__)

PATIENCE_S = 2.0  # for joining or leaving a group: one lock of the layer guards both
RETRY_S = 1.0

Organ = Callable[[], Coroutine[Any, Any, None]]  # what goes on for as long as there is a hub


class Socket(Protocol):
    """A socket, as the hub sees it."""

    outbox: Outbox
    joined_at: float  # on the loop's clock
    closing: bool  # it has been told to go
    login_id: int | None  # None until it is admitted

    def told(self, frame: str, revision: int | None) -> None:
        """A frame for it; `revision` that of the change, None if it is no change."""

    def revoked(self) -> None:
        """Its login has ended."""

    def start_over(self) -> None:
        """It missed too much: it must load its lists afresh."""

    def one_too_many(self) -> None:
        """Its user has more sockets than one may have, and it is the oldest."""

    def restarting(self) -> None:
        """This process is going down. Told twice, it waits for nothing any more."""

    def beat(self) -> None:
        """Nothing was said to it for a while: it must hear that all is well."""


@dataclass(eq=False)
class Room:
    """One user's sockets in this process.

    `revision` is the one up to which the room has heard of every change, None before its first
    socket has read it; `ahead` are later ones that came while an earlier one is missing.
    """

    user_id: int
    sockets: set[Socket] = field(default_factory=set)
    # Of the sockets: all that a tick needs. A dictionary, because it is gone through every second,
    # and a set of ten has its members in thirty places.
    outboxes: dict[Outbox, None] = field(default_factory=dict)
    joined: bool = False
    revision: int | None = None
    epoch: str | None = None  # the life of the database that `revision` is of
    ahead: set[int] = field(default_factory=set)
    versions: dict[int, int] = field(default_factory=dict)  # the newest heard of each session
    ticking: dict[int, int] = field(default_factory=dict)  # sessions, by the revision that said so
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # of whose command is being done

    def heard(self, revision: int) -> None:
        """This change was heard."""
        self.ahead.add(revision)
        if self.revision is not None:
            self.heard_up_to(self.revision)

    def read_by_one(self, revision: int, epoch: str | None = None) -> None:
        """One socket has read all up to here. The others have heard no more than before."""
        if self.revision is None:
            self.epoch = epoch
            self.heard_up_to(revision)

    def heard_up_to(self, revision: int) -> None:
        """Every socket has heard this change and all before it."""
        self.revision = max(revision, self.revision or 0)
        while self.revision + 1 in self.ahead:
            self.revision += 1
        self.ahead = {r for r in self.ahead if r > self.revision}


class Hub:
    """One per event loop; `Hub.here()` gives it."""

    _hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.rooms: dict[int, Room] = {}
        self.ticker = Ticker(clock.now_ms)
        self.entrance = Entrance()
        self.strangers = Strangers(time.monotonic)
        self.comings = Comings(time.monotonic, settings.SOCKETS_PER_USER)
        self.present: dict[Socket, None] = {}  # all, also those that have not said who they are
        self.gone = 0  # sockets, since the start
        self.rounds = 0  # answers that reconciling had from the database
        self._channel: str | None = None
        self._listening = asyncio.Event()  # the channel is there
        self.messages_lost = asyncio.Event()  # set by who knows: then reconciling does not wait
        self.canary = Canary(
            self._publish_to_ourselves,
            hear_anew=lambda: hear_anew(channel_layer()),
            heard_again=self.messages_lost.set,
        )
        self._organs: dict[str, Organ] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._joining: Batches[str, bool] = Batches(lambda g: self._in_redis(groups.join, g))
        self._failing = False  # joining and leaving: one line says so
        self._leaving: Batches[str, bool] = Batches(lambda g: self._in_redis(groups.leave, g))

    @classmethod
    def here(cls) -> Hub:
        """The hub of the running loop, listening."""
        loop = asyncio.get_running_loop()
        hub = cls._hubs.get(loop)
        if hub is None:
            hub = cls._hubs[loop] = cls()
            hub._start()
        return hub

    @classmethod
    def if_any(cls) -> Hub | None:
        """The same, but none is started: no socket has come to this loop yet."""
        return cls.of(asyncio.get_running_loop())

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Hub | None:
        """That of this loop, if any. From any thread."""
        return cls._hubs.get(loop)

    @classmethod
    def all(cls) -> list[Hub]:
        """Those of this process: one, or none as long as no socket came. Safe from any thread."""
        return list(cls._hubs.values())

    def _start(self) -> None:
        from realtime.hub.heartbeats import keep_beating
        from realtime.hub.memory import keep_tidy
        from realtime.hub.reconcile import keep_joined, keep_reconciled

        self._organs = {
            "hub: listen": self._listen,
            "hub: canary": self.canary.keep_singing,
            "hub: join": lambda: keep_joined(self),
            "hub: reconcile": lambda: keep_reconciled(self),
            "hub: heartbeats": lambda: keep_beating(self),
            "hub: tidy": lambda: keep_tidy(self),
        }
        for name in self._organs:
            self._begin(name)
        # It has subscribed to all again; what was said in between is lost.
        tell_when_connected_anew(self.messages_lost.set)

    def _begin(self, name: str) -> None:
        if self._stopping:
            return
        task = self._tasks[name] = asyncio.create_task(self._organs[name](), name=name)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """None of them should, whatever happens. It begins anew: the sockets must not suffer."""
        if self._stopping or is_draining() or task.get_loop().is_closed():
            return
        error = None if task.cancelled() else task.exception()
        log.error("%s has ended, beginning it anew", task.get_name(), exc_info=error)
        stats.tasks_restarted += 1
        task.get_loop().call_later(RETRY_S, self._begin, task.get_name())

    async def stop(self) -> None:
        """Ends the hub's tasks (a server's loop simply ends with its process; tests call this)."""
        self._stopping = True
        tell_nobody()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._hubs.pop(asyncio.get_running_loop(), None)

    # -- who is here -----------------------------------------------------------------------------

    def sockets(self) -> list[Socket]:
        return [socket for room in self.rooms.values() for socket in room.sockets]

    async def join(self, user_id: int, socket: Socket) -> Room:
        """Puts the socket into its user's room, which is in the Redis group then if it can be."""
        room = self.rooms.get(user_id)
        if room is None:
            room = self.rooms[user_id] = Room(user_id)
        room.sockets.add(socket)
        room.outboxes[socket.outbox] = None
        if not room.joined:
            await self.join_group(room)
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
            await self._leaving.ask(groups.of_user(room.user_id))
            again = self.rooms.get(room.user_id)
            if again is not None:  # somebody came in while we left
                await self.join_group(again)

    async def join_group(self, room: Room) -> None:
        """Joins the user's group. Where that fails, `reconcile` tries again."""
        if self.canary.is_deaf:
            return  # nobody need wait for a Redis that is known to be silent
        room.joined = await self._joining.ask(groups.of_user(room.user_id))

    async def _in_redis(
        self, act: Callable[[Collection[str], str], Awaitable[None]], names: list[str]
    ) -> list[bool]:
        """Joins or leaves the groups of this batch. All of it succeeds, or nothing is sure."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._listening.wait()
                assert self._channel is not None
                await act(names, self._channel)
        except Exception as error:
            if not self._failing:
                log.warning("cannot %s groups, trying again: %r", act.__name__, error)
            self._failing = True
            return [False] * len(names)
        self._failing = False
        return [True] * len(names)

    # -- what comes ------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """The reading end of the channel layer, for ever."""
        failing = False
        while True:
            try:
                layer = channel_layer()
                if self._channel is None:
                    self._channel = await layer.new_channel()
                    self._listening.set()
                message = await layer.receive(self._channel)
                failing = False
            except Exception as error:
                if not failing:
                    log.warning("the ear on Redis failed, listening again", exc_info=error)
                failing = True
                await asyncio.sleep(RETRY_S)
                continue
            try:
                self._hand_out(message)
            except Exception:
                log.exception("a message could not be handed out")

    async def _publish_to_ourselves(self) -> None:
        await self._listening.wait()
        await channel_layer().send(self._channel, {"kind": "canary"})

    def _hand_out(self, message: dict[str, Any]) -> None:
        if message["kind"] == "canary":
            self.canary.heard()
            return
        room = self.rooms.get(message["user"])
        if room is None:
            return
        if message["kind"] == "revoked":
            self._revoke(room, message["login"])
            return
        if message["kind"] == "change":
            revision = message["revision"]
            # What comes later than it was read changes nothing: what followed it may be lost.
            is_news = room.revision is None or revision > room.revision
            room.heard(revision)
            if is_news:
                session, version = message["session"], message["version"]
                self.follow(room, session, version, message["ends_at_ms"], revision)
        for socket in tuple(room.sockets):
            socket.told(message["frame"], message.get("revision"))

    def _revoke(self, room: Room, login_id: int | None) -> None:
        for socket in tuple(room.sockets):
            if login_id in {None, socket.login_id}:
                socket.revoked()

    def start_over(self, room: Room) -> None:
        """What the room has heard is of another life of the database: forget it, and read anew."""
        for session in room.versions:
            self.ticker.forget(session)
        room.versions.clear()
        room.ticking.clear()
        room.ahead.clear()
        room.revision = room.epoch = None
        for socket in tuple(room.sockets):
            socket.start_over()

    def read(
        self, room: Room, revision: int, active: SessionState | None, epoch: str | None = None
    ) -> None:
        """One socket has read where its user's things stood at this revision."""
        room.read_by_one(revision, epoch)
        for session, said_at in list(room.ticking.items()):
            if said_at <= revision and (active is None or session != active.id):
                # It was told late that this session runs, and never that it does so no more.
                self.ticker.forget(session)
                del room.ticking[session]
        if active is not None:
            self.follow_state(room, active, revision)

    def follow(
        self, room: Room, session: int, version: int, ends_at_ms: int | None, revision: int
    ) -> None:
        """Ticks follow the session's new deadline, or stop. What comes late changes nothing."""
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
        """The same for a state. `revision` None: it is newer than all that the room has heard."""
        ends_at = state.timer.ends_at
        self.follow(
            room,
            state.id,
            state.timer.version,
            None if ends_at is None else round(ends_at.timestamp() * 1000),
            (room.revision or 0) + 1 if revision is None else revision,
        )
