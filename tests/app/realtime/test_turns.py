"""One user's commands go one after the other: all of them need that user's row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.device import device
from realtime.sockets import commands, consumer
from realtime.sockets.commands import one_at_a_time
from tests.support.devices import Person


async def test_who_comes_next_waits_for_who_is_there() -> None:
    lock, done = asyncio.Lock(), list[str]()

    async def say(word: str) -> None:
        async with one_at_a_time(lock):
            done.append(word)

    async with one_at_a_time(lock):
        next_ones = [asyncio.create_task(say(word)) for word in ("first", "second")]
        await asyncio.sleep(0)
        assert not done
    await asyncio.gather(*next_ones)
    assert done == ["first", "second"]


async def test_nobody_waits_for_long_and_who_gave_up_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "COMMAND_LOCK_TIMEOUT_S", 0.01)
    lock = asyncio.Lock()
    async with one_at_a_time(lock):
        with pytest.raises(TimeoutError):
            async with one_at_a_time(lock):
                pass
    async with one_at_a_time(lock):
        pass


async def test_a_command_whose_turn_does_not_come_is_told_to_come_again(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def never(lock: asyncio.Lock) -> AsyncIterator[None]:
        raise TimeoutError
        yield

    session = await ada.has_session()
    async with device(ada.account) as laptop:
        with monkeypatch.context() as patched:
            patched.setattr(consumer, "one_at_a_time", never)
            answer = await laptop.command("start", session.id, key="once")
            assert (answer["type"], answer["code"]) == ("error", "unavailable")
        answer = await laptop.command("start", session.id, key="once")
        assert (answer["type"], answer["version"]) == ("ack", 2)
