"""Putting a frame into a socket's outbox never waits, whatever the client does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from realtime.delivery.outbox import (
    LARGEST_QUEUE,
    LONGEST_QUEUE,
    MAX_TICKS_DROPPED,
    Outbox,
    put_tick,
)
from realtime.delivery.tick import Ticks
from realtime.stats import stats

TICK = Ticks(session=7, version=2, ends_at_ms=1_800_000_001_250).tick(1_000)
SECONDS = 12.5  # the loop's clock


@dataclass
class Client:
    """A client that reads while `reads` is set; `sent` is what has been written to it."""

    reads: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[str] = field(default_factory=list)
    fails: bool = False

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        if self.fails:
            raise ConnectionResetError
        self.sent.append(message.get("text") or f"close {message['code']} {message['reason']}")

    async def has(self, count: int) -> None:
        """Waits until so many were written."""
        async with asyncio.timeout(5):
            while len(self.sent) < count:  # noqa: ASYNC110 -- no event is worth its own code
                await asyncio.sleep(0)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def outbox(client: Client, complaints: list[str]) -> Outbox:
    return Outbox(client.send, lambda: complaints.append("slow"))


async def test_a_client_that_reads_gets_a_frame_at_once_and_without_a_task(
    outbox: Outbox, client: Client
) -> None:
    client.reads.set()
    tasks = asyncio.all_tasks()
    before = asyncio.get_running_loop().time()
    outbox.put("state")
    assert before <= outbox.last_put <= asyncio.get_running_loop().time()
    put_tick([outbox], TICK, SECONDS)
    assert client.sent == ["state", TICK.text.decode()]
    assert asyncio.all_tasks() == tasks


async def test_for_a_client_that_does_not_read_states_queue_and_ticks_are_dropped(
    outbox: Outbox, client: Client
) -> None:
    for number in range(5):
        outbox.put(f"state {number}")
        put_tick([outbox], TICK, SECONDS)
    assert client.sent == []
    client.reads.set()
    await client.has(5)
    assert client.sent == [f"state {number}" for number in range(5)]


async def test_once_it_reads_again_ticks_come_again(outbox: Outbox, client: Client) -> None:
    put_tick([outbox], TICK, SECONDS)  # this one is on its way
    put_tick([outbox], TICK, SECONDS)  # this one is dropped
    client.reads.set()
    await client.has(1)
    await asyncio.sleep(0)
    put_tick([outbox], TICK, SECONDS)
    assert client.sent == [TICK.text.decode()] * 2


async def test_a_frame_put_while_the_queue_empties_keeps_its_place(
    outbox: Outbox, client: Client
) -> None:
    outbox.put("1")
    outbox.put("2")
    client.reads.set()
    await client.has(1)
    outbox.put("3")
    await client.has(3)
    outbox.put("4")
    assert client.sent == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("size", "most"), [(3, LONGEST_QUEUE), (LARGEST_QUEUE // 4, 5)], ids=["frames", "characters"]
)
async def test_a_client_that_is_too_far_behind_is_reported_once(
    outbox: Outbox, complaints: list[str], size: int, most: int
) -> None:
    for _ in range(most):
        outbox.put("x" * size)
        assert complaints == []
    for _ in range(most):
        outbox.put("x" * size)
    assert complaints == ["slow"]
    outbox.abandon()


async def test_frames_that_were_read_do_not_count(
    outbox: Outbox, client: Client, complaints: list[str]
) -> None:
    large = "x" * (LARGEST_QUEUE // 4)
    outbox.put(large)
    for _ in range(4):
        outbox.put(large)
    client.reads.set()
    await client.has(5)
    client.reads.clear()
    for _ in range(1 + 4):
        outbox.put(large)
    assert complaints == []
    outbox.abandon()


async def test_the_close_is_the_last_thing_that_is_sent(outbox: Outbox, client: Client) -> None:
    outbox.put("state")
    outbox.close(4503, "restarting")
    outbox.put("too late")
    put_tick([outbox], TICK, SECONDS)
    outbox.close(4500, "internal")
    client.reads.set()
    await client.has(2)
    outbox.put("too late")
    assert client.sent == ["state", "close 4503 restarting"]


@pytest.mark.parametrize("waits", [False, True], ids=["is gone", "leaves while a frame waits"])
async def test_a_frame_for_a_client_that_left_raises_nothing(
    outbox: Outbox, client: Client, waits: bool
) -> None:
    client.fails = True
    if not waits:
        client.reads.set()
    outbox.put("1")
    outbox.put("2")
    client.reads.set()
    await outbox_is_idle(outbox)
    outbox.put("3")
    put_tick([outbox], TICK, SECONDS)
    outbox.close(4503, "restarting")
    assert client.sent == []


async def test_an_abandoned_outbox_sends_nothing_more(outbox: Outbox, client: Client) -> None:
    outbox.put("1")
    outbox.put("2")
    outbox.abandon()
    client.reads.set()
    await outbox_is_idle(outbox)
    outbox.put("3")
    put_tick([outbox], TICK, SECONDS)
    outbox.close(4503, "restarting")
    assert client.sent == []


async def test_a_send_that_waits_several_times_is_driven_to_its_end() -> None:
    sent = []

    async def send(message: dict[str, Any]) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await asyncio.sleep(0.001)
        sent.append(message["text"])

    outbox = Outbox(send, lambda: None)
    outbox.put("1")
    outbox.put("2")
    await outbox_is_idle(outbox)
    assert sent == ["1", "2"]


# -- a server that hands its transport over ------------------------------------------------------


@dataclass
class Wire:
    """A transport whose client reads or not."""

    takes: bool = True
    closing: bool = False
    frames: list[bytes] = field(default_factory=list)

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0 if self.takes else 1

    def write(self, data: bytes) -> None:
        assert self.takes
        assert not self.closing
        self.frames.append(data)

    def abort(self) -> None:
        self.closing = True


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def wired(client: Client, complaints: list[str], wire: Wire) -> Outbox:
    client.reads.set()
    return Outbox(client.send, lambda: complaints.append("slow"), wire)


async def test_a_tick_is_written_as_a_frame_and_all_else_is_sent(
    wired: Outbox, wire: Wire, client: Client
) -> None:
    wired.put("state")
    assert put_tick([wired], TICK, SECONDS)
    assert (client.sent, wire.frames) == (["state"], [TICK.frame])
    assert wired.last_put == SECONDS


async def test_no_tick_overtakes_a_waiting_frame(wired: Outbox, wire: Wire, client: Client) -> None:
    client.reads.clear()
    wired.put("state")
    assert not put_tick([wired], TICK, SECONDS)
    client.reads.set()
    await outbox_is_idle(wired)
    assert put_tick([wired], TICK, SECONDS)
    assert (client.sent, wire.frames) == (["state"], [TICK.frame])


async def test_a_client_that_takes_no_tick_for_long_is_reported_once(
    wired: Outbox, wire: Wire, complaints: list[str]
) -> None:
    wire.takes = False
    skipped, closed = stats.ticks_skipped, stats.slow_closed
    for _ in range(MAX_TICKS_DROPPED):
        assert complaints == []
        put_tick([wired], TICK, SECONDS)
    for _ in range(MAX_TICKS_DROPPED):
        put_tick([wired], TICK, SECONDS)
    assert complaints == ["slow"]
    assert (stats.ticks_skipped - skipped, stats.slow_closed - closed) == (2 * MAX_TICKS_DROPPED, 1)


async def test_a_tick_that_is_written_resets_the_count_of_dropped_ones(
    wired: Outbox, wire: Wire, complaints: list[str]
) -> None:
    for _ in range(3):
        wire.takes = False
        for _ in range(MAX_TICKS_DROPPED - 1):
            put_tick([wired], TICK, SECONDS)
        wire.takes = True
        put_tick([wired], TICK, SECONDS)
    assert complaints == []
    assert wire.frames == [TICK.frame] * 3


async def test_a_client_that_does_not_read_takes_no_tick_from_the_others(
    wired: Outbox, wire: Wire, client: Client
) -> None:
    others = [Wire(), Wire(closing=True), Wire()]
    wire.takes = False
    outboxes = [Outbox(client.send, lambda: None, other) for other in others]
    assert put_tick([outboxes[0], wired, *outboxes[1:]], TICK, SECONDS) == 2
    assert [other.frames for other in others] == [[TICK.frame], [], [TICK.frame]]


async def test_a_closed_outbox_writes_no_tick(wired: Outbox, wire: Wire) -> None:
    wired.close(4503, "restarting")
    assert (put_tick([wired], TICK, SECONDS), wire.frames) == (0, [])


async def outbox_is_idle(outbox: Outbox) -> None:
    """Waits until nothing is on its way."""
    async with asyncio.timeout(5):
        while outbox._draining is not None:  # noqa: ASYNC110 -- there is no event for it
            await asyncio.sleep(0)
