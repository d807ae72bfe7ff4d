"""People whose device talks to a server, raw sockets, and faults of the database and of Redis."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar
from unittest.mock import patch

from django.db import connection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from accounts.auth.tokens import AccessToken, pair_of
from accounts.models import Login
from accounts.services import logins
from benchmarks.device import Account, Frame
from realtime.broker import channel_layer, publisher
from realtime.database import in_database
from realtime.hub.background import Node
from sessions_app import services
from sessions_app.events import SessionState
from sessions_app.ledger import Actor

PASSWORD = "correct horse battery"
PATIENCE_S = 10.0

P = ParamSpec("P")
R = TypeVar("R")


# -- people --------------------------------------------------------------------------------------


@dataclass
class Person:
    """A user with one login. Its commands call the services, as a request over REST would."""

    account: Account
    login: Login

    @property
    def id(self) -> int:
        return self.login.user_id

    @property
    def actor(self) -> Actor:
        return Actor(self.id, "REST")

    async def does(self, service: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        return await in_database(service, *args, by=self.actor, **kwargs)

    async def has_session(self, title: str = "Write", duration: int = 25) -> SessionState:
        return await self.does(services.create, title=title, duration=duration)

    async def has_running(self, title: str = "Write", duration: int = 25) -> SessionState:
        session = await self.has_session(title, duration)
        return await self.does(services.start, session.id)

    def token_that_lasts(self, seconds: float) -> str:
        """An access token of this login with so much left (tokens count in whole seconds)."""
        token = AccessToken(pair_of(self.login).access)  # type: ignore[arg-type]  # it takes the text
        token.set_exp(from_time=datetime.now(UTC), lifetime=timedelta(seconds=seconds))
        return str(token)


async def person(base: str, name: str) -> Person:
    login = await in_database(
        logins.sign_up, name, f"{name}@example.com", PASSWORD, device="Laptop"
    )
    pair = pair_of(login)
    return Person(Account(base, pair.access, pair.refresh, {"id": login.user_id}), login)


# -- sockets -------------------------------------------------------------------------------------


@dataclass
class Ending:
    """How the server closed a socket: the frames before, the `closing` frame, and the code."""

    closing: Frame
    code: int
    frames: list[Frame] = field(default_factory=list)

    @property
    def reason(self) -> str:
        return str(self.closing["reason"])


@dataclass
class RawSocket:
    """A socket as the library gives it, read in order."""

    socket: ClientConnection

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def send_raw(self, data: str | bytes) -> None:
        await self.socket.send(data)

    async def next(self, *kinds: str) -> Frame:
        """The next frame, or the next of these types."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                frame: Frame = json.loads(await self.socket.recv())
                if not kinds or frame["type"] in kinds:
                    return frame

    async def authenticate(self, token: str, **more: Any) -> Frame:
        await self.send(type="authenticate", token=token, **more)
        return await self.next()

    async def ending(self) -> Ending:
        """Waits until the server closes the socket, and checks that `closing` came first."""
        frames = []
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    frames.append(json.loads(await self.socket.recv()))
        code, reason = self.socket.close_code, self.socket.close_reason
        assert code is not None
        assert frames, f"closed without a frame: {code} {reason}"
        *before, closing = frames
        assert closing.pop("type") == "closing"
        assert closing.keys() == {"code", "reason", "reconnect", "after_ms"}
        assert code == closing["code"]
        assert reason in {closing["reason"], ""}  # Daphne drops it
        return Ending(closing, code, before)


@asynccontextmanager
async def raw(base: str, path: str = "/ws/", **options: Any) -> AsyncIterator[RawSocket]:
    """An open socket that has sent nothing yet."""
    url = base.replace("http", "ws", 1) + path
    async with connect(url, compression=None, **options) as socket:
        yield RawSocket(socket)


async def until(true: Callable[[], bool]) -> None:
    """Waits until something inside the server is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 -- the server has no events for tests
            await asyncio.sleep(0.005)


# -- faults --------------------------------------------------------------------------------------


@contextmanager
def database_down() -> Iterator[None]:
    """No connection can be had, as when the server is gone."""
    driver: Any = connection.Database  # psycopg or psycopg2
    with patch(
        "django.db.backends.postgresql.base.DatabaseWrapper.get_new_connection",
        side_effect=driver.OperationalError("connection refused"),
    ):
        yield


@contextmanager
def messages_lost() -> Iterator[None]:
    """Nothing that is published arrives."""

    async def lose(together: list[channel_layer.Message]) -> None:
        pass

    publisher.flush()
    with patch.object(publisher._publisher, "_send", lose):
        yield
        assert publisher.flush(), "not all was lost in time"


def room_of(person: Person) -> Any:
    """The sockets of the user in this process."""
    return Node.here().hub.rooms[person.id]
