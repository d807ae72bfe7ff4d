"""One socket: admits, joins, sends the state, passes changes on, runs commands.

The socket's frames are handled one after the other, so a pause and a resume cannot swap. Everything
sent passes through the outbox, which never waits. Everything that asks the database runs on threads
of the sockets' own.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import partial
from typing import Any

from channels.consumer import AsyncConsumer
from django.conf import settings
from django.db import Error as DatabaseError

from accounts.auth.admission import Identity
from accounts.exceptions import TokenNotValid
from realtime.clock import clock
from realtime.delivery.outbox import Outbox
from realtime.hub.background import Node
from realtime.hub.draining import is_draining
from realtime.hub.rooms import Room
from realtime.protocol import messages
from realtime.protocol.close_codes import Close
from realtime.protocol.limits import CHANGES_PER_FRAME, BadFrames, frame_budget
from realtime.protocol.messages import BadFrame, Message
from realtime.sockets import origins
from realtime.sockets.commands import perform, unavailable
from realtime.stats import CLIENT_LEFT, closed, commands, stats
from runtime import log_context
from runtime.failpoints import failpoint
from sessions_app.changes import Seen
from sessions_app.exceptions import NotFound
from sessions_app.ledger import Actor

log = logging.getLogger(__name__)

AUTHENTICATE_WITHIN_S = 5.0
RECONNECT_AFTER_MS = 1_000  # plus jitter: what `closing` proposes
CLOSED_WITHIN_S = 2.0  # then the connection is cut, if the server allows it
ANSWERED_WITHIN_S = 1.0  # a command, when the server shuts down; later it is found by its key
COMMAND_LOCK_TIMEOUT_S = 3.0  # and 5 s for the database: an answer comes in less than ten
RECONNECT_SLOWLY_MS = 10_000  # after too many frames: by then half of the budget is there again


class DeviceConsumer(AsyncConsumer):
    """A device of a user. Its frames are described in `protocol/messages.py`."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self.identity: Identity | None = None
        self.login_id: int | None = None  # read in rounds of `reconcile.py`
        self.room: Room | None = None
        self.device = ""
        self.joined_at = 0.0  # on the loop's clock
        self.closing = False
        self._is_ready = False  # `ready` was sent
        self._runs_command = False
        # Frames that arrive while a `ready` is being made, with the revisions of changes.
        self._waiting: list[tuple[str, int | None]] | None = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._resetting: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.loop = asyncio.get_running_loop()
        # See server/uvicorn/websocket.py.
        extensions = scope.get("extensions") or {}
        self._transport = extensions.get("space.transport")
        self._admitted = extensions.get("space.admitted", lambda: None)
        self.outbox = Outbox(send, self._close_slow, self._transport)
        self.node = Node.here()
        self.hub = self.node.hub
        log_context.connection(self.id)  # after the node, whose tasks belong to no connection
        self._budget = frame_budget(self.loop.time)
        self._bad_frames = BadFrames(self.loop.time)
        self.scope, self.base_send = scope, send
        stats.sockets_opened += 1
        try:
            # No channel of its own: the hub listens for all sockets of the process. And no task
            # for each frame, nor Channels' hop through its one database thread.
            while (message := await receive())["type"] != "websocket.disconnect":
                await self.dispatch(message)
        except Exception:
            log.exception("a socket failed")
            self.close(Close.OUR_FAULT, "internal")
        finally:
            await self._gone()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handles one message of the ASGI server."""
        match message["type"]:
            case "websocket.connect":
                await self._connected()
            case "websocket.receive":
                await self._received(message)
            case "space.flooded":
                self._flooded()

    # -- opening and closing ---------------------------------------------------------------------

    async def _connected(self) -> None:
        await self.base_send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        self.node.open_sockets[self] = None
        if is_draining():
            self.close_for_restart()
            return
        self._after("authenticate", AUTHENTICATE_WITHIN_S, self.close_unauthenticated)
        self.node.unauthenticated.add(self)
        token = origins.bearer_token(self.scope)
        if token is not None:
            await self._authenticate(messages.Authenticate(token=token))

    def close_unauthenticated(self) -> None:
        self.close(Close.TOO_SILENT, "not_authenticated")

    def close(self, code: Close, reason: str, after_ms: int = RECONNECT_AFTER_MS) -> None:
        """Sends `closing` with the reason, because Daphne drops that of a close; then closes."""
        if self.closing:
            return
        self.closing = True
        closed[code] += 1
        self.node.unauthenticated.discard(self)
        closing = messages.Closing(
            code=code, reason=reason, reconnect=code.come_back, after_ms=after_ms
        )
        self.outbox.put(closing.as_text())
        self.outbox.close(code, reason)
        self._cut_soon()

    def _cut_soon(self) -> None:
        # To a client that does not read, neither of the two is ever written.
        if self._transport is not None and "cut" not in self._timers:
            self._after("cut", CLOSED_WITHIN_S, self._transport.abort)

    async def _gone(self) -> None:
        self.node.unauthenticated.discard(self)
        self.node.open_sockets.pop(self, None)
        stats.sockets_gone += 1
        stats.admitted_gone += self.identity is not None
        if not self.closing:
            closed[CLIENT_LEFT] += 1
        if self._transport is not None and self._transport.get_write_buffer_size():
            # The client does not read, so the close would take for ever.
            self._cut_soon()
        for name, timer in self._timers.items():
            if name != "cut":
                timer.cancel()
        if self._resetting is not None:
            self._resetting.cancel()
        if self.room is not None:
            await self.hub.leave(self.room, self)
        self.outbox.leave()
        if not self.closing:
            self.outbox.abandon()

    # -- called by the hub -----------------------------------------------------------------------

    def deliver(self, frame: str, revision: int | None) -> None:
        """Sends a frame; before `ready` is sent the frame waits for it."""
        if self._waiting is None:
            self.outbox.put(frame)
        else:
            self._waiting.append((frame, revision))

    def close_revoked(self) -> None:
        self.close(Close.NOT_AUTHENTICATED, "revoked")

    def evict(self) -> None:
        self.close(Close.TOO_MANY_SOCKETS, "too_many_sockets")

    def close_for_restart(self) -> None:
        """Closes after the answer to a running command; the second call closes at once."""
        if self._runs_command and "restart" not in self._timers:
            self._after("restart", ANSWERED_WITHIN_S, self.close_for_restart)
        else:
            self.close(Close.RESTARTING, "restarting")

    def reset(self) -> None:
        """Sends a `ready` with `reset`."""
        if self.room is None:
            return  # it is about to read the state
        if self._resetting is not None:
            self._resetting.cancel()
        self._resetting = self.loop.create_task(self._try_ready(since=None, epoch=None))

    def _close_slow(self) -> None:
        """The client reads too slowly: it reconnects and syncs."""
        self.close(Close.READS_TOO_SLOWLY, "reads_too_slowly")

    def _flooded(self) -> None:
        """The client sent too many frames of any kind; the server reads no more of them."""
        stats.floods += 1
        self.close(Close.TOO_MANY_FRAMES, "rate_limited", RECONNECT_SLOWLY_MS)

    # -- frames of the client --------------------------------------------------------------------

    async def _received(self, message: dict[str, Any]) -> None:
        if self.closing:
            return
        if not self._budget.spend():
            self.close(Close.TOO_MANY_FRAMES, "rate_limited", RECONNECT_SLOWLY_MS)
            return
        text = message.get("text") or ""  # a binary frame is refused like an empty one
        largest = messages.LARGEST_FRAME if self.identity else messages.LARGEST_FIRST_FRAME
        if len(message.get("bytes") or text.encode()) > largest:
            self.close(Close.FRAME_TOO_LARGE, "too_large")
            return
        try:
            if not text:
                raise BadFrame("A text frame with a JSON object is required.")
            frame = messages.decode(text)
        except BadFrame as bad:
            self._bad(bad)
            return
        await self._handle(frame)

    def _bad(self, bad: BadFrame) -> None:
        self.say(messages.Error(id=bad.id, code="bad_message", message=str(bad)))
        if self._bad_frames.one_more():
            self.close(Close.MISUSE, "bad_message")

    async def _handle(self, frame: messages.Inbound) -> None:
        failpoint("frame")
        if isinstance(frame, messages.Authenticate):
            await self._authenticate(frame)
        elif self.identity is None:
            self.close(Close.NOT_AUTHENTICATED, "not_authenticated")
        elif isinstance(frame, messages.Command):
            await self._command(frame, Actor(self.identity.user_id, self.device))
        elif isinstance(frame, messages.Ping):
            received = clock.now_ms()
            self.say(
                messages.Pong(
                    id=frame.id,
                    client_time=frame.client_time,
                    server_received=received,
                    server_sent=clock.now_ms(),
                )
            )
        elif isinstance(frame, messages.Ticks):
            self.outbox.tick_every_ms = frame.every_ms
        else:
            await self._try_ready(since=frame.since, epoch=frame.epoch)

    async def _command(self, frame: messages.Command, by: Actor) -> None:
        assert self.room is not None
        self._runs_command = True
        try:
            answer = await self._answer(frame, by, self.room)
            result = answer.code if isinstance(answer, messages.Error) else "ok"
            commands[frame.action, result] += 1
            self.say(answer)
        finally:
            self._runs_command = False
            if "restart" in self._timers:
                self.close_for_restart()

    async def _answer(
        self, frame: messages.Command, by: Actor, room: Room
    ) -> messages.Ack | messages.Error:
        # All commands of a user need the user's row. Without the lock, while another transaction
        # holds that row, a user with as many devices as there are threads would occupy all threads.
        try:
            async with asyncio.timeout(COMMAND_LOCK_TIMEOUT_S):
                await room.command_lock.acquire()
        except TimeoutError:
            return unavailable(frame.id)
        try:
            # The ticks follow at once, also while Redis is away.
            return await perform(frame, by, partial(self.hub.follow_state, room))
        finally:
            room.command_lock.release()

    async def _authenticate(self, frame: messages.Authenticate) -> None:
        if "authenticate" in self._timers:
            self._timers.pop("authenticate").cancel()  # the token came in time
        self.node.unauthenticated.discard(self)
        try:
            identity = await self.node.admission.admit(frame.token)
        except TokenNotValid as error:
            self.close(Close.NOT_AUTHENTICATED, error.code)
            return
        except DatabaseError as error:
            log.error("cannot check a token: %s", error)
            self.close(Close.RESTARTING, "unavailable")
            return
        if self.identity is not None and self.identity.user_id != identity.user_id:
            self.close(Close.NOT_ALLOWED, "another_user")
            return
        if self.room is None and not self.node.connect_rate.allows(identity.user_id):
            stats.connects_refused += 1
            self.close(Close.TOO_MANY_FRAMES, "rate_limited", RECONNECT_SLOWLY_MS)
            return
        stats.sockets_admitted += self.identity is None
        self.identity, self.login_id = identity, identity.login_id
        self._admitted()
        log_context.user(identity.user_id)
        self.device = frame.device or identity.device
        left_s = identity.expires_at.timestamp() - clock.now_ms() / 1000
        self._after("token", max(0.0, left_s), self._token_expired)
        if self.room is None:
            # Join, then read: a change in between arrives twice rather than never, and the client
            # keeps the higher version.
            self.joined_at = self.loop.time()
            self.room = await self.hub.join(identity.user_id, self)
            if is_draining():  # `drain` has closed only those that were here
                self.close_for_restart()
                return
            self._evict_oldest(self.room)
        await self._try_ready(since=frame.since, epoch=frame.epoch)

    def _token_expired(self) -> None:
        self.close(Close.NOT_AUTHENTICATED, "token_expired")

    def _evict_oldest(self, room: Room) -> None:
        """Keeps the number of a user's sockets here within `SOCKETS_PER_USER`."""
        staying = [socket for socket in room.sockets if not socket.closing]
        if len(staying) > settings.SOCKETS_PER_USER:
            min(staying, key=lambda socket: socket.joined_at).evict()

    # -- frames to the client --------------------------------------------------------------------

    def say(self, message: Message) -> None:
        self.outbox.put(message.as_text())

    async def _try_ready(self, since: int | None, epoch: str | None) -> None:
        try:
            await self._send_ready(since, epoch)
        except DatabaseError as error:
            log.error("cannot read the state for a socket: %s", error)
            self.close(Close.RESTARTING, "unavailable")
        except NotFound:
            self.close_revoked()

    async def _send_ready(self, since: int | None, epoch: str | None) -> None:
        """Sends the state, then the changes that arrived while it was read."""
        assert self.identity is not None
        assert self.room is not None
        if self._waiting is None:
            self._waiting = []  # later changes must not come before it
        seen = Seen(self.identity.user_id, since, epoch)
        missed, active = await self.node.admission.read_state(seen)
        self._budget.charge(len(missed.changes) // CHANGES_PER_FRAME)
        self.hub.state_read(self.room, missed.revision, active, missed.epoch)
        self.say(
            messages.Ready(
                connection=self.id,
                user=self.identity.user_id,
                server_time=clock.now(),
                token_expires_at=self.identity.expires_at,
                heartbeat_s=settings.HEARTBEAT_S,
                epoch=missed.epoch,
                revision=missed.revision,
                reset=missed.reset,
                active=active,
                changes=missed.changes,
            )
        )
        waiting, self._waiting = self._waiting or [], None
        for frame, revision in waiting:
            if revision is None or revision > missed.revision:
                self.outbox.put(frame)
        if not self._is_ready:
            self._is_ready = True
            self.outbox.tick_every_ms = 1_000

    def send_heartbeat(self) -> None:
        if self._is_ready:
            self.say(messages.Heartbeat(server_time=clock.now()))

    def _after(self, name: str, seconds: float, act: Any) -> None:
        """Sets the timer of this name; a handle of the loop costs less than a task."""
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self.loop.call_later(seconds, act)
