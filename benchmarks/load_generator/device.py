"""One device: its socket, and how it reconnects. Its `DeviceCheck` judges what it receives."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from contextlib import suppress
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from benchmarks.load_generator.accounts import Account
from benchmarks.load_generator.device_check import DeviceCheck, Frame
from benchmarks.load_generator.lag import Lag, now_ms
from benchmarks.load_generator.rest import Rest
from benchmarks.load_generator.state import State
from benchmarks.load_generator.tally import Tally
from local.problem import Problem

ANSWER_WITHIN_S = 12.0  # a little longer than the rule, which then finds it
PING_EVERY_S = 10.0
CHECK_EVERY_S = 2.0
LONGEST_BACKOFF_S = 30.0
FIRST_PINGS = 3  # so that the clock is known at once


class Device:
    """`live()` is the device's whole life; `leave()` ends it."""

    def __init__(
        self,
        name: str,
        base: str,
        account: Account,
        check: DeviceCheck,
        rest: Rest,
        lag: Lag,
        tally: Tally,
    ) -> None:
        self.name, self.base, self.account, self.check = name, base, account, check
        self._rest, self._lag, self._tally = rest, lag, tally
        self._socket: ClientConnection | None = None
        self._ids = itertools.count()
        self._waiting: dict[str, asyncio.Future[Frame | None]] = {}
        self._asleep_s: float | None = None  # the laptop was closed, for so long
        self._after_ms = 0.0  # what `closing` asked for
        self._leaving = False
        self._was_ready = False  # this connection, at some time
        self._lost_at: float | None = None
        self._expected_closes: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_here(self) -> bool:
        return self._socket is not None and self.check.is_ready and not self.check.is_loading

    # -- coming and going ------------------------------------------------------------------------

    async def live(self, first_wait_s: float) -> None:
        await asyncio.sleep(first_wait_s)
        attempt = 0
        while not self._leaving:
            try:
                await self._connection()
                attempt = 0 if self._was_ready else attempt + 1
            except (OSError, TimeoutError, InvalidHandshake) as refused:
                self._tally.count[f"connections refused: {type(refused).__name__}"] += 1
                attempt += 1
            if self._asleep_s is not None:
                await asyncio.sleep(self._asleep_s)
                self._asleep_s = None
            if not self._leaving:  # full jitter
                jitter_s = random.uniform(0, min(LONGEST_BACKOFF_S, 0.5 * 2**attempt))
                await asyncio.sleep(max(jitter_s, self._after_ms / 1000))

    def close_the_laptop(self, seconds: float) -> None:
        """The connection is cut without a close, and the device reconnects after so long."""
        if self._socket is not None:
            self._tally.count["laptops closed"] += 1
            self._asleep_s = seconds
            self._socket.transport.abort()

    async def leave(self) -> None:
        self._leaving = True
        if self._socket is not None:
            await self._socket.close()

    async def _connection(self) -> None:
        """From the connection to its loss. Raises what `connect` does."""
        self._was_ready = False
        self._after_ms = 0.0
        began = now_ms()
        url = self.base.replace("http", "ws", 1) + "/ws/"
        socket = await connect(
            url, compression=None, ping_interval=None, open_timeout=10, close_timeout=2, proxy=None
        )
        self.check.connected(now_ms())
        self._socket = socket
        upkeep = asyncio.create_task(self._upkeep(socket))
        try:
            await self._authenticate()
            async for text in socket:
                await self._heard(text, began)
        except ConnectionClosed:
            pass
        finally:
            self._socket = None
            upkeep.cancel()
            await self._lost(socket)

    async def _lost(self, socket: ClientConnection) -> None:
        if self._was_ready and not self._leaving:
            self._lost_at = now_ms()
        self.check.closed(socket.close_code or 1006, expected=self._expected_closes)
        self._expected_closes = set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()
        if socket.close_code == 4401:
            with suppress(httpx.HTTPError, Problem):  # the next connection says so again
                if not await self.account.renew(self._rest):
                    await self.account.log_in(self._rest)

    async def _authenticate(self) -> None:
        seen = {}
        if self.check.revision is not None:
            seen = {"epoch": self.check.epoch, "since": self.check.revision}
        await self._send(type="authenticate", token=self.account.access, device=self.name, **seen)

    # -- receiving -------------------------------------------------------------------------------

    async def _heard(self, text: str | bytes, began: float) -> None:
        at = now_ms()
        try:
            frame: Any = msgspec.json.decode(text)
        except msgspec.DecodeError:
            frame = None
        must = self.check.heard(frame, at, lagging=self._lag.is_lagging(at))
        if frame is None:
            return
        waiting = self._waiting.pop(str(frame.get("id")), None)
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)
        if frame["type"] == "ready" and not self._was_ready:
            await self._came_in(at, began)
        elif frame["type"] == "closing":
            self._after_ms = frame["after_ms"]
            if frame["reason"] == "token_expired":
                self._expected_closes = {4401}
        if "sync" in must:
            self.check.asks("ready", "sync", at)
            await self._send(type="sync", epoch=self.check.epoch, since=self.check.revision)
        if "load" in must:
            self._aside(self._load())

    async def _came_in(self, at: float, began: float) -> None:
        self._was_ready = True
        self._tally.count["connections"] += 1
        self._tally.took["a connection, up to `ready`"].add(at - began)
        if self._lost_at is not None and self._asleep_s is None:
            self._tally.count["came back"] += 1
        self._lost_at = None
        for _ in range(FIRST_PINGS):
            await self._ping()

    async def _load(self) -> None:
        """Reads the lists after a reset; as often as it takes, while this connection lives."""
        socket = self._socket
        while self._socket is socket:
            with suppress(httpx.HTTPError):
                answer = await self._rest.ask("GET", "/sessions/", self.account.access)
                if answer.status_code == 200:
                    self.check.loaded(answer.json(), now_ms())
                    return
            await asyncio.sleep(1)

    async def _upkeep(self, socket: ClientConnection) -> None:
        """Takes clock samples, and checks what has not arrived."""
        next_ping = now_ms() + random.uniform(0, PING_EVERY_S) * 1000
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            at = now_ms()
            self.check.check_overdue(at, lagging=self._lag.is_lagging(at))
            if self.check.is_ready and at > next_ping:
                next_ping = at + PING_EVERY_S * 1000
                await self._ping()

    # -- sending ---------------------------------------------------------------------------------

    async def command(self, action: str, session: int, **arguments: Any) -> Frame | None:
        """An ack or an error. If the connection goes before it, the command is repeated over REST,
        with its key. None: no answer either way."""
        key = secrets.token_hex(8)
        frame = await self._command(action, session, key, arguments)
        if frame is None and not self._leaving:
            frame = await self._repeat(action, session, key, arguments)
        return frame

    async def twice(self, action: str, session: int) -> tuple[Frame | None, Frame | None]:
        """The same command with the same key, twice at once: a double click."""
        key = secrets.token_hex(8)
        return await asyncio.gather(
            self._command(action, session, key, {}), self._command(action, session, key, {})
        )

    async def want_ticks(self, every_ms: int) -> None:
        await self._send(type="ticks", every_ms=every_ms)
        self.check.ticks.asked(every_ms, await self._ping())

    async def authenticate_again(self) -> None:
        """With a fresh token, as before the old one expires."""
        if await self.account.renew(self._rest) and self.is_here:
            self.check.asks("ready", "authenticate", now_ms())
            await self._authenticate()

    async def _command(
        self, action: str, session: int, key: str, arguments: dict[str, Any]
    ) -> Frame | None:
        frame_id = f"c{next(self._ids)}"
        answer: asyncio.Future[Frame | None]  # None: the connection went
        answer = self._waiting[frame_id] = asyncio.get_running_loop().create_future()
        self.check.asks(frame_id, action, now_ms())
        await self._send(
            type="command", id=frame_id, session=session, action=action, key=key, **arguments
        )
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await answer
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(frame_id, None)

    async def _repeat(
        self, action: str, session: int, key: str, arguments: dict[str, Any]
    ) -> Frame | None:
        self._tally.count["commands repeated over REST"] += 1
        path = f"/sessions/{session}/{action}/"
        try:
            answer = await self._rest.ask("POST", path, self.account.access, key, **arguments)
        except httpx.HTTPError:
            return None
        body: State = answer.json()
        if answer.status_code != 200:
            return {"type": "error", "code": body["code"]}
        version = body["timer"]["version"]
        self.check.user.acked(session, version, action, now_ms())
        return {"type": "ack", "session": session, "version": version, "state": body}

    async def _ping(self) -> str:
        frame_id = f"p{next(self._ids)}"
        at = now_ms()
        self.check.asks(frame_id, "ping", at)
        await self._send(type="ping", id=frame_id, client_time=at)
        return frame_id

    async def _send(self, **frame: Any) -> None:
        """A frame is lost where the connection has gone, as on a real one."""
        if self._socket is None:
            return
        with suppress(ConnectionClosed):
            await self._socket.send(msgspec.json.encode(frame).decode())

    def _aside(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
