"""A room knows its revision, and the ticks follow, in any order of messages."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.clock import clock
from realtime.delivery.outbox import Outbox
from realtime.delivery.ticker import Ticker
from realtime.hub.hub import Hub
from realtime.hub.rooms import Room
from realtime.hub.subscription import Subscription

ADA = 1
SOON = 2_000_000_000_000  # a deadline, in milliseconds


class Socket:
    """Records its frames."""

    def __init__(self) -> None:
        self.frames: list[str] = []
        self.login_id = 5
        self.outbox = Outbox(self.send, lambda: None)
        self.gone = False

    async def send(self, message: Any) -> None:
        raise AssertionError(message)

    def deliver(self, frame: str, revision: int | None) -> None:
        self.frames.append(frame)

    def close_revoked(self) -> None:
        self.gone = True


def change(version: int, ends_at_ms: int | None, session: int = 7, revision: int = 0) -> Any:
    return {
        "kind": "change",
        "user": ADA,
        "revision": revision or version,
        "session": session,
        "version": version,
        "ends_at_ms": ends_at_ms,
        "frame": f"v{version}",
    }


@pytest.fixture
def hub() -> Hub:
    return Hub(Subscription(lambda: None), Ticker(clock.now_ms))


@pytest.fixture
def socket(hub: Hub) -> Socket:
    socket = Socket()
    hub.rooms[ADA] = Room(ADA, sockets={socket})  # type: ignore[arg-type]
    return socket


def deadline(hub: Hub, session: int = 7) -> int | None:
    watched = hub.ticker._sessions.get(session)
    return watched.ends_at_ms if watched else None


@pytest.mark.parametrize("order", list(itertools.permutations([2, 3, 4])), ids=str)
async def test_the_newest_change_decides_the_ticks_in_any_order_of_arrival(
    hub: Hub, socket: Socket, order: tuple[int, ...]
) -> None:
    deadlines = {2: SOON, 3: SOON + 5_000, 4: None}  # started, extended, paused
    for version in order:
        hub.on_message(change(version, deadlines[version]))
    assert deadline(hub) is None
    hub.on_message(change(5, SOON + 60_000))  # resumed
    hub.on_message(change(4, None))
    assert deadline(hub) == SOON + 60_000
    hub.ticker.forget(7)


async def test_a_late_change_is_delivered_too(hub: Hub, socket: Socket) -> None:
    for version in (3, 2, 2):
        hub.on_message(change(version, None))
    assert socket.frames == ["v3", "v2", "v2"]


async def test_the_last_socket_that_leaves_ends_all_ticks(hub: Hub, socket: Socket) -> None:
    room = hub.rooms[ADA]
    hub.on_message(change(2, SOON, session=7))
    hub.on_message(change(2, SOON, session=8))  # it replaced 7, whose end was lost
    await hub.leave(room, socket)  # type: ignore[arg-type]
    assert (hub.rooms, hub.ticker._sessions) == ({}, {})


async def test_a_start_brings_no_ticks_once_its_end_was_read(hub: Hub, socket: Socket) -> None:
    """In either order: the message of the end may have had no receiver here."""
    room = hub.rooms[ADA]
    hub.on_message(change(2, SOON))
    assert deadline(hub) == SOON
    hub.state_read(room, 3, None)
    assert hub.ticker._sessions == {}
    hub.on_message(change(2, SOON))
    assert hub.ticker._sessions == {}
    assert socket.frames == ["v2", "v2"]


async def test_a_change_received_after_a_read_began_outlives_it(hub: Hub, socket: Socket) -> None:
    room = hub.rooms[ADA]
    hub.state_read(room, 1, None)
    hub.on_message(change(2, SOON))
    hub.state_read(room, 1, None)  # another socket's, slow
    assert deadline(hub) == SOON
    hub.ticker.forget(7)


async def test_a_message_for_a_user_without_a_room_is_ignored(hub: Hub) -> None:
    hub.on_message(change(2, SOON))
    assert hub.ticker._sessions == {}


@pytest.mark.parametrize(("login", "gone"), [(5, True), (6, False), (None, True)])
async def test_a_revocation_closes_the_sockets_of_its_login_or_all(
    hub: Hub, socket: Socket, login: int | None, gone: bool
) -> None:
    hub.on_message({"kind": "revoked", "user": ADA, "login": login})
    assert socket.gone is gone


class RoomUnderAnyOrder(RuleBasedStateMachine):
    """Messages come in any order, more than once, or never; sockets read; losses are healed."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(ADA)
        self.known: set[int] = set()  # revisions that every socket has heard
        self.before = 0

    @rule(revision=st.integers(1, 12))
    def a_message_comes(self, revision: int) -> None:
        self.room.received(revision)
        self.known.add(revision)

    @rule(revision=st.integers(0, 12))
    def a_socket_reads(self, revision: int) -> None:
        if self.room.revision is None:  # the first: earlier changes concern no socket here
            self.known |= set(range(1, revision + 1))
        self.room.read_by_one(revision)

    @precondition(lambda self: self.room.revision is not None)
    @rule(revision=st.integers(0, 12))
    def what_was_lost_is_healed(self, revision: int) -> None:
        self.room.received_up_to(revision)
        self.known |= set(range(1, revision + 1))

    @precondition(lambda self: self.room.revision is not None)
    @invariant()
    def it_has_heard_all_up_to_its_revision_and_not_the_next(self) -> None:
        assert self.room.revision is not None
        assert set(range(1, self.room.revision + 1)) <= self.known
        assert self.room.revision + 1 not in self.known

    @precondition(lambda self: self.room.revision is not None)
    @invariant()
    def it_remembers_just_what_is_ahead(self) -> None:
        assert self.room.ahead == {r for r in self.known if r > (self.room.revision or 0)}

    @invariant()
    def it_never_goes_back(self) -> None:
        assert (self.room.revision or 0) >= self.before
        self.before = self.room.revision or 0


TestRoomUnderAnyOrder = RoomUnderAnyOrder.TestCase
