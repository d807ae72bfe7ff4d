"""A line before a group of threads has an end, and goes round its clients."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import lines
from runtime.lines import Full, Line


class Work:
    """Turns in a line, each held until it is let go."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.order: list[Hashable] = []
        self.most = 0
        self._go: list[asyncio.Event] = []

    def begin(self, client: Hashable) -> asyncio.Task[None]:
        return asyncio.ensure_future(self._work(client))

    async def _work(self, client: Hashable) -> None:
        async with self.line.turn(client):
            self.order.append(client)
            self.most = max(self.most, self.line.at_work)
            self._go.append(asyncio.Event())
            await self._go[-1].wait()

    async def one_ends(self) -> None:
        """The oldest that works."""
        self._go.pop(0).set()
        await settle()

    async def all_end(self) -> None:
        while self._go:
            await self.one_ends()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_as_many_work_as_there_are_threads_and_the_others_follow() -> None:
    work = Work(Line(2, waiting=10))
    asked = [work.begin(n) for n in range(5)]
    await settle()
    assert (work.order, work.line.in_line) == ([0, 1], 3)
    await work.all_end()
    await asyncio.gather(*asked)
    assert (work.order, work.most, work.line.at_work) == ([0, 1, 2, 3, 4], 2, 0)


async def test_the_line_goes_round_those_who_stand_in_it() -> None:
    work = Work(Line(1, waiting=100))
    asked = [work.begin("ada") for _ in range(10)]
    await settle()
    asked += [work.begin("eve"), work.begin("eve"), work.begin("joe")]
    await settle()
    await work.all_end()
    await asyncio.gather(*asked)
    assert work.order[:6] == ["ada", "ada", "eve", "joe", "ada", "eve"]


async def test_one_client_works_no_more_than_its_share() -> None:
    work = Work(Line(4, waiting=100, share=lambda _: 2))
    asked = [work.begin("ada") for _ in range(4)]
    await settle()
    assert work.order == ["ada", "ada"]
    asked.append(work.begin("eve"))
    await settle()
    assert work.order == ["ada", "ada", "eve"], "though others stand before them"
    await work.all_end()
    await asyncio.gather(*asked)
    assert work.order == ["ada", "ada", "eve", "ada", "ada"]


async def test_the_line_has_an_end_and_one_client_gets_half_of_it() -> None:
    work = Work(Line(1, waiting=4))
    asked = [work.begin("ada") for _ in range(3)]
    await settle()
    with pytest.raises(Full) as refusal:
        await work.begin("ada")
    assert refusal.value.own
    asked += [work.begin("eve"), work.begin("joe")]
    await settle()
    with pytest.raises(Full) as refusal:
        await work.begin("new")
    assert not refusal.value.own
    await work.all_end()
    await asyncio.gather(*asked)


async def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_WAIT_S", 0.01)
    work = Work(Line(1, waiting=4))
    first = work.begin("ada")
    await settle()
    with pytest.raises(Full):
        await work.begin("eve")
    assert work.line.in_line == 0
    await work.all_end()
    await first


async def test_who_is_called_and_gone_at_once_passes_the_turn_on() -> None:
    work = Work(Line(1, waiting=4))
    first, second, third = (work.begin(n) for n in range(3))
    await settle()
    work._go.pop(0).set()
    for _ in range(2):  # the second has been called now, and does not know it
        await asyncio.sleep(0)
    second.cancel()
    await settle()
    await work.all_end()
    await asyncio.gather(first, third)
    assert third.done()
    assert (work.line.at_work, work.line.in_line) == (0, 0)


@given(
    clients=st.lists(st.integers(0, 3), max_size=30),
    gone=st.sets(st.integers(0, 29)),
    threads=st.integers(1, 4),
    share=st.integers(1, 4),
)
async def test_nobody_is_lost_and_nothing_is_left(
    clients: list[int], gone: set[int], threads: int, share: int
) -> None:
    work = Work(Line(threads, waiting=12, share=lambda _: share))
    asked = [work.begin(client) for client in clients]
    await settle()
    for number in gone & set(range(len(asked))):
        asked[number].cancel()
    await settle()
    await work.all_end()
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert outcome is None or isinstance(outcome, Full | asyncio.CancelledError)
    assert (work.line.at_work, work.line.in_line) == (0, 0)
    assert work.most <= threads
