"""While Redis is away the countdown goes on, and after it all devices show the truth again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.device import Device, Frame, device
from tests.support.devices import Person, person
from tests.support.own_valkey import OwnValkey, own_valkey
from tests.support.servers import Server, servers

IN_STEP_S = 6.0  # after any fault heals every device shows the truth within this


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnValkey]:
    with own_valkey(tmp_path) as own:
        yield own


@pytest.fixture
def two(redis: OwnValkey, transactional_db: None, tmp_path: Path) -> Iterator[list[Server]]:
    with servers(tmp_path, "uvicorn", "uvicorn", REDIS_URL=redis.server.url) as two:
        yield two


@pytest.fixture
async def ada(two: list[Server]) -> Person:
    return await person(two[0].base, "ada")


async def test_without_redis_the_countdown_goes_on_and_devices_are_in_step_soon_after(
    redis: OwnValkey, two: list[Server], ada: Person
) -> None:
    session = await ada.has_session()
    async with (
        device(ada.account, "Laptop") as laptop,
        device(ada.account.at(two[1].base), "Phone") as phone,
    ):
        await laptop.command("start", session.id)
        await phone.heard_type("session.tick")
        redis.go()

        # Ticks go on, on both.
        for watcher in (laptop, phone):
            last = await watcher.heard_type("session.tick")
            await watcher.heard_type("session.tick", remaining_ms=last["remaining_ms"] - 3_000)

        # Who comes now is let in and sees the truth.
        async with device(ada.account.at(two[1].base), "Tablet") as tablet:
            assert tablet.ready["active"]["id"] == session.id
            await tablet.heard_type("session.tick")

        # Commands are stored and acknowledged on either.
        extended = await laptop.command("extend", session.id, seconds=60)
        assert extended["type"] == "ack"
        paused = await phone.command("pause", session.id)
        assert (paused["type"], paused["version"]) == ("ack", extended["version"] + 1)

        redis.come()
        back = now()
        resumed = await laptop.command("resume", session.id)
        told = [await hears(watcher, resumed["version"]) for watcher in (laptop, phone)]
        assert now() - back < IN_STEP_S
        assert [frame["cause"] for frame in told] == ["resumed", "resumed"]

        # And from then on it is as before: by message, not by asking now and then.
        async with asyncio.timeout(IN_STEP_S):
            while True:
                began = now()
                ack = await laptop.command("extend", session.id, seconds=1)
                await hears(phone, ack["version"])
                if now() - began < 0.2:
                    break


async def hears(watcher: Device, version: int) -> Frame:
    return await watcher.heard_type("session.state", version=version)


def now() -> float:
    """Seconds."""
    return asyncio.get_running_loop().time()
