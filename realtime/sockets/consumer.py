"""One socket: admit, join, send the state, pass changes on, take commands.

The socket's frames are handled one after the other, so a pause and a resume cannot swap. Everything
that is sent goes through the outbox, which never waits; everything that asks the database runs on
the sockets' own threads.
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
from realtime.hub.draining import is_draining
from realtime.hub.hub import Hub, Room
from realtime.protocol import messages
from realtime.protocol.close_codes import Close
from realtime.protocol.limits import CHANGES_PER_FRAME, BadFrames, FrameBudget
from realtime.protocol.messages import BadFrame, Message
from realtime.sockets import origins
from realtime.sockets.commands import in_turn, perform, unavailable
from realtime.stats import CLIENT_LEFT, closed, commands, stats
from runtime import log_context
from runtime.failpoints import failpoint
from sessions_app.changes import Seen
from sessions_app.exceptions import NotFound
from sessions_app.ledger import Actor

log = logging.getLogger(__name__)

TO_AUTHENTICATE_S = 5.0
COME_BACK_AFTER_MS = 1_000  # and jitter: what `closing` proposes
TO_BE_CLOSED_S = 2.0  # then the connection is cut, where the server lets us
TO_BE_ANSWERED_S = 1.0  # a command, when the server goes down; then it is found by its key
COME_BACK_SLOWLY_MS = 10_000  # for who said too much: by then half of the budget is there again


class DeviceConsumer(AsyncConsumer):
    """A device of a user. See `messages.py` for what it says and hears."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self.arrival: Identity | None = None
        self.login_id: int | None = None  # asked for in every round of `reconcile`
        self.room: Room | None = None
        self.device = ""
        self.joined_at = 0.0  # on the loop's clock
        self.closing = False
        self._is_ready = False  # `ready` was sent
        self._is_working = False  # at a command
        # What is told while a `ready` is being made: frames, with the revisions of changes.
        self._waiting: list[tuple[str, int | None]] | None = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._starting_over: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.loop = asyncio.get_running_loop()
        # See server/uvicorn/websocket.py.
        extensions = scope.get("extensions") or {}
        self._transport = extensions.get("space.transport")
        self._admitted = extensions.get("space.admitted", lambda: None)
        self.outbox = Outbox(send, self._stuck, self._transport)
        self.hub = Hub.here()
        log_context.connection(self.id)  # after the hub, whose tasks are everybody's
        self._budget = FrameBudget(self.loop.time)
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
        """One message of the server's."""
        match message["type"]:
            case "websocket.connect":
                await self._connected()
            case "websocket.receive":
                await self._received(message)
            case "space.flooded":
                self._flooded()

    # -- coming and going ------------------------------------------------------------------------

    async def _connected(self) -> None:
        await self.base_send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        self.hub.present[self] = None
        if is_draining():
            self.restarting()
            return
        self._after("authenticate", TO_AUTHENTICATE_S, self.too_silent)
        self.hub.strangers.add(self)
        token = origins.bearer_token(self.scope)
        if token is not None:
            await self._authenticate(messages.Authenticate(token=token))

    def too_silent(self) -> None:
        self.close(Close.TOO_SILENT, "not_authenticated")

    def close(self, code: Close, reason: str, after_ms: int = COME_BACK_AFTER_MS) -> None:
        """Says why, then closes. Daphne drops the reason of a close, hence the frame."""
        if self.closing:
            return
        self.closing = True
        closed[code] += 1
        self.hub.strangers.discard(self)
        closing = messages.Closing(
            code=code, reason=reason, reconnect=code.come_back, after_ms=after_ms
        )
        self.outbox.put(closing.as_text())
        self.outbox.close(code, reason)
        self._cut_soon()

    def _cut_soon(self) -> None:
        # Towards a client that does not read, none of this is ever written.
        if self._transport is not None and "cut" not in self._timers:
            self._after("cut", TO_BE_CLOSED_S, self._transport.abort)

    async def _gone(self) -> None:
        self.hub.strangers.discard(self)
        self.hub.present.pop(self, None)
        self.hub.gone += 1
        stats.sockets_gone += 1
        stats.admitted_gone += self.arrival is not None
        if not self.closing:
            closed[CLIENT_LEFT] += 1
        if self._transport is not None and self._transport.get_write_buffer_size():
            # It, or the server's library, has closed while it did not read: that would take for
            # ever, and it is nobody's socket any more.
            self._cut_soon()
        for name, timer in self._timers.items():
            if name != "cut":
                timer.cancel()
        if self._starting_over is not None:
            self._starting_over.cancel()
        if self.room is not None:
            await self.hub.leave(self.room, self)
        self.outbox.leave()
        if not self.closing:
            self.outbox.abandon()

    # -- what the hub says -----------------------------------------------------------------------

    def told(self, frame: str, revision: int | None) -> None:
        """Passes on what happened; what happens before `ready` is sent waits for it."""
        if self._waiting is None:
            self.outbox.put(frame)
        else:
            self._waiting.append((frame, revision))

    def revoked(self) -> None:
        self.close(Close.NOT_AUTHENTICATED, "revoked")

    def one_too_many(self) -> None:
        self.close(Close.TOO_MANY_SOCKETS, "too_many_sockets")

    def restarting(self) -> None:
        """After the answer to the command that is being worked on; the second time at once."""
        if self._is_working and "restart" not in self._timers:
            self._after("restart", TO_BE_ANSWERED_S, self.restarting)
        else:
            self.close(Close.RESTARTING, "restarting")

    def start_over(self) -> None:
        """A `ready` that says reset."""
        if self.room is None:
            return  # it is about to read where things stand
        if self._starting_over is not None:
            self._starting_over.cancel()
        self._starting_over = self.loop.create_task(self._try_ready(since=None, epoch=None))

    def _stuck(self) -> None:
        """The client reads too slowly: it comes back and syncs."""
        self.close(Close.READS_TOO_SLOWLY, "reads_too_slowly")

    def _flooded(self) -> None:
        """More frames of any kind than anybody needs; the server reads no more of them."""
        stats.floods += 1
        self.close(Close.TOO_MANY_FRAMES, "rate_limited", COME_BACK_SLOWLY_MS)

    # -- what the client says --------------------------------------------------------------------

    async def _received(self, message: dict[str, Any]) -> None:
        if self.closing:
            return
        if not self._budget.spend():
            self.close(Close.TOO_MANY_FRAMES, "rate_limited", COME_BACK_SLOWLY_MS)
            return
        text = message.get("text") or ""  # a binary frame is as bad as an empty one
        largest = messages.LARGEST_FRAME if self.arrival else messages.LARGEST_FIRST_FRAME
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
        elif self.arrival is None:
            self.close(Close.NOT_AUTHENTICATED, "not_authenticated")
        elif isinstance(frame, messages.Command):
            await self._command(frame, Actor(self.arrival.user_id, self.device))
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
        self._is_working = True
        try:
            answer = await self._answer(frame, by, self.room)
            result = answer.code if isinstance(answer, messages.Error) else "ok"
            commands[frame.action, result] += 1
            self.say(answer)
        finally:
            self._is_working = False
            if "restart" in self._timers:
                self.restarting()

    async def _answer(
        self, frame: messages.Command, by: Actor, room: Room
    ) -> messages.Ack | messages.Error:
        try:
            async with in_turn(room.turn):
                # The ticks follow at once, also while Redis is away.
                return await perform(frame, by, partial(self.hub.follow_state, room))
        except TimeoutError:
            return unavailable(frame.id)

    async def _authenticate(self, frame: messages.Authenticate) -> None:
        if "authenticate" in self._timers:
            self._timers.pop("authenticate").cancel()  # it came in time, however long we take
        self.hub.strangers.discard(self)
        try:
            arrival = await self.hub.entrance.admit(frame.token)
        except TokenNotValid as error:
            self.close(Close.NOT_AUTHENTICATED, error.code)
            return
        except DatabaseError as error:
            log.error("cannot check a token: %s", error)
            self.close(Close.RESTARTING, "unavailable")
            return
        if self.arrival is not None and self.arrival.user_id != arrival.user_id:
            self.close(Close.NOT_ALLOWED, "another_user")
            return
        if self.room is None and not self.hub.comings.may_come(arrival.user_id):
            stats.connects_refused += 1
            self.close(Close.TOO_MANY_FRAMES, "rate_limited", COME_BACK_SLOWLY_MS)
            return
        stats.sockets_admitted += self.arrival is None
        self.arrival, self.login_id = arrival, arrival.login_id
        self._admitted()
        log_context.user(arrival.user_id)
        self.device = frame.device or arrival.device
        left_s = arrival.expires_at.timestamp() - clock.now_ms() / 1000
        self._after("token", max(0.0, left_s), self._token_expired)
        if self.room is None:
            # Join, then read: a change in between arrives twice rather than never, and the client
            # keeps the higher version.
            self.joined_at = self.loop.time()
            self.room = await self.hub.join(arrival.user_id, self)
            if is_draining():  # those that were here have been told already
                self.restarting()
                return
            self._oldest_must_go(self.room)
        await self._try_ready(since=frame.since, epoch=frame.epoch)

    def _token_expired(self) -> None:
        self.close(Close.NOT_AUTHENTICATED, "token_expired")

    def _oldest_must_go(self, room: Room) -> None:
        """One user has at most so many sockets here: the one that came first makes room."""
        staying = [socket for socket in room.sockets if not socket.closing]
        if len(staying) > settings.SOCKETS_PER_USER:
            min(staying, key=lambda socket: socket.joined_at).one_too_many()

    # -- what we say -----------------------------------------------------------------------------

    def say(self, message: Message) -> None:
        self.outbox.put(message.as_text())

    async def _try_ready(self, since: int | None, epoch: str | None) -> None:
        try:
            await self._send_ready(since, epoch)
        except DatabaseError as error:
            log.error("cannot read where things stand: %s", error)
            self.close(Close.RESTARTING, "unavailable")
        except NotFound:
            self.revoked()

    async def _send_ready(self, since: int | None, epoch: str | None) -> None:
        """Where things stand; then what happened while we read it."""
        assert self.arrival is not None
        assert self.room is not None
        if self._waiting is None:
            self._waiting = []  # what is newer must not come before what is older
        seen = Seen(self.arrival.user_id, since, epoch)
        missed, active = await self.hub.entrance.where_things_stand(seen)
        self._budget.charge(len(missed.changes) // CHANGES_PER_FRAME)
        self.hub.read(self.room, missed.revision, active, missed.epoch)
        self.say(
            messages.Ready(
                connection=self.id,
                user=self.arrival.user_id,
                server_time=clock.now(),
                token_expires_at=self.arrival.expires_at,
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

    def beat(self) -> None:
        """Silence means trouble, so now and then something is said."""
        if self._is_ready:
            self.say(messages.Heartbeat(server_time=clock.now()))

    def _after(self, name: str, seconds: float, act: Any) -> None:
        """One timer of each name; a handle of the loop costs less than a task."""
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self.loop.call_later(seconds, act)
