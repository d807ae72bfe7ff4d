"""Promise 2: devices show the truth within 6 s, whatever becomes of the messages through Redis."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from tests.faults.crowd import crowd
from tests.faults.measured import Measured, quantile
from tests.faults.scene import IN_STEP_S, NOTHING_LEFT_OUT_S, scene, serving
from tests.faults.stack import Stack
from tests.faults.staleness import behind
from tests.support.servers import Server

pytestmark = pytest.mark.timeout(300)
PEOPLE = 20
ACTING_S = 30.0
SHIMS = {
    "30 % of the messages are dropped": "drop=0.3",
    "every message is doubled": "double=1",
    "every message is delayed up to 3 s, so they are reordered": "delay=1",
    "30 % dropped, 20 % doubled, 30 % delayed up to 3 s": "drop=0.3 double=0.2 delay=0.3",
}


def shimmed(space: Stack, shim: str) -> list[Server]:
    """Two servers that hear through it."""
    counts = space.folder / "shim"
    counts.mkdir()
    through = {
        "DJANGO_SETTINGS_MODULE": "tests.faults.shim_settings",
        "SPACE_SHIM": shim,
        "SPACE_SHIM_COUNTS": str(counts),
    }
    return serving(space, through, through)


def done_to_them(space: Stack) -> Counter[str]:
    did: Counter[str] = Counter()
    for file in (space.folder / "shim").glob("*.json"):
        did.update(json.loads(file.read_text()))
    return did


@pytest.mark.fault("every message through Redis is dropped, unnoticed", "2, 4")
async def test_every_message_is_lost(space: Stack, measured: Measured) -> None:
    servers = shimmed(space, "drop=1")
    async with scene(space, *servers, ends_in=(3, 7)) as it, behind(it.people) as waits:
        async with it.acting():
            await asyncio.sleep(5)
        await it.all_done()
        await it.in_step()
        pause_s = it.longest_pause_s
        await it.ends(measured, p99_ms=100)
        measured("changes committed and not shown, p50", quantile(waits.waits, 0.5), "s")
        measured("the same, longest", waits.longest_s, "s", promised=IN_STEP_S)
        measured("longest pause between two ticks", pause_s, "s", promised=NOTHING_LEFT_OUT_S)
        measured("changes lost or done twice", it.not_once(), promised=0)
        await it.people.check()
    did = done_to_them(space)
    measured("messages dropped", did["drop"])
    assert did["drop"] == did["messages"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("what", SHIMS)
@pytest.mark.fault("messages dropped, doubled, delayed, reordered", "2")
async def test_messages_are_mistreated(space: Stack, measured: Measured, what: str) -> None:
    """People do all that they do in `./space load`."""
    measured.fault = what
    servers = shimmed(space, SHIMS[what])
    async with crowd(space, *servers) as people, behind(people) as waits:
        people.comes(PEOPLE, devices=2)
        await people.connect()
        async with people.acting(people.people):
            await asyncio.sleep(ACTING_S)
        await people.all_here()
        await people.in_step(within_s=40.0)
        measured("changes heard of", len(waits.waits))
        measured("committed and not shown, p50", quantile(waits.waits, 0.5), "s")
        measured("the same, longest", waits.longest_s, "s", promised=IN_STEP_S)
        await asyncio.to_thread(space.settle)
        await people.check()
    did = done_to_them(space)
    for action in SHIMS[what].split():
        assert did[action.partition("=")[0]] > 0, did
    told = ", ".join(f"{did[do]} {do}" for do in ("drop", "double", "delay") if did[do])
    measured(f"messages ({told})", did["messages"])
