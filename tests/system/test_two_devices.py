"""Two devices of one user, each at a server process of its own, are as if there were one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from accounts.auth.tokens import pair_of
from accounts.models import Login
from accounts.services import logins
from benchmarks.device import Device, Frame, device
from realtime.database import in_database
from tests.support.devices import Person, raw
from tests.support.servers import Server, stored, timekeeper

pytestmark = pytest.mark.daily
SAME_MOMENT_MS = 100


@dataclass
class Desk:
    """What Ada has before her."""

    ada: Person
    laptop: Device
    phone: Device

    async def both_hear(self, kind: str, **values: Any) -> Frame:
        """The frame on both devices, which must say the same."""
        on_laptop = await self.laptop.heard_type(kind, **values)
        on_phone = await self.phone.heard_type(kind, **values)
        assert without_arrival(on_laptop) == without_arrival(on_phone)
        return on_laptop


@pytest.fixture
async def desk(ada: Person, other: Server) -> AsyncIterator[Desk]:
    async with (
        device(ada.account, "Laptop") as laptop,
        device(ada.account.at(other.base), "Phone") as phone,
    ):
        yield Desk(ada, laptop, phone)


@pytest.fixture(scope="module")
def _timekeeper(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with timekeeper(tmp_path_factory.mktemp("timekeeper")):
        yield


async def test_both_show_the_same_second_at_the_same_moment(desk: Desk) -> None:
    await desk.laptop.measure_clock()
    await desk.phone.measure_clock()
    session = await desk.ada.has_session()
    started = await desk.laptop.command("start", session.id)
    ends_at_ms = datetime.fromisoformat(started["state"]["timer"]["ends_at"]).timestamp() * 1000
    for remaining_ms in (1_499_000, 1_498_000):
        for watcher in (desk.laptop, desk.phone):
            tick = await watcher.heard_type("session.tick", remaining_ms=remaining_ms)
            arrived = tick["arrived"] * 1000 + watcher.offset_ms
            assert abs(arrived - (ends_at_ms - remaining_ms)) < SAME_MOMENT_MS


async def test_every_command_of_one_device_reaches_the_other(desk: Desk) -> None:
    session = await desk.ada.has_session()
    steps: list[tuple[Device, str, dict[str, Any], str, str]] = [
        (desk.laptop, "start", {}, "started", "running"),
        (desk.phone, "pause", {}, "paused", "paused"),
        (desk.phone, "extend", {"seconds": 300}, "extended", "paused"),
        (desk.laptop, "resume", {}, "resumed", "running"),
        (desk.laptop, "extend", {"seconds": -60}, "extended", "running"),
    ]
    version = session.timer.version
    for watcher, action, arguments, cause, status in steps:
        version += 1
        ack = await watcher.command(action, session.id, **arguments)
        told = await desk.both_hear("session.state", version=version)
        assert (ack["type"], ack["version"]) == ("ack", version)
        assert (told["cause"], told["state"]["timer"]["status"]) == (cause, status)
        assert told["device"] == ("Laptop" if watcher is desk.laptop else "Phone")
    assert told["state"]["timer"]["planned_ms"] == (25 * 60 + 300 - 60) * 1000


@pytest.mark.parametrize(("action", "cause"), [("finish", "finished"), ("cancel", "cancelled")])
async def test_an_end_by_one_device_is_seen_on_the_other(
    desk: Desk, action: str, cause: str
) -> None:
    session = await desk.ada.has_running()
    await desk.phone.command(action, session.id)
    ended = await desk.both_hear("session.ended", session=session.id)
    assert ended["cause"] == cause
    assert (ended["space"] is not None) == (cause == "finished")


async def test_a_change_over_rest_reaches_both_devices(desk: Desk) -> None:
    async with desk.ada.account.http() as http:
        answer = await http.post("/sessions/", json={"title": "Write", "duration": 25})
        session = answer.json()["id"]
        await http.post(f"/sessions/{session}/start/")
    told = await desk.both_hear("session.state", cause="started")
    assert told["session"] == session
    await desk.laptop.heard_type("session.tick")
    await desk.phone.heard_type("session.tick")


async def test_a_pause_stops_the_count_on_both(desk: Desk) -> None:
    session = await desk.ada.has_running()
    await desk.both_hear("session.tick", remaining_ms=1_499_000)
    paused = await desk.phone.command("pause", session.id)
    await desk.both_hear("session.state", version=paused["version"])
    resumed = await desk.laptop.command("resume", session.id)
    await desk.both_hear("session.tick", version=resumed["version"])
    for watcher in (desk.laptop, desk.phone):
        versions = [f["version"] for f in watcher.frames if f["type"] == "session.tick"]
        assert versions == sorted(versions), "a tick of what was paused came after the pause"


async def test_logging_out_on_one_device_ends_the_other_s_socket_of_that_login(
    ada: Person, other: Server
) -> None:
    async with raw(other.base) as socket, device(ada.account) as laptop:
        await socket.authenticate(ada.account.access)
        async with ada.account.http() as http:
            await http.post("/users/logout/")
        ending = await socket.ending()
        await laptop.heard_type("closing", reason="revoked")
    assert (ending.code, ending.reason) == (4401, "revoked")


async def test_a_deactivated_user_is_out_on_every_server(
    ada: Person, one: Server, other: Server
) -> None:
    async with raw(one.base) as here, raw(other.base) as there:
        for socket in (here, there):
            await socket.authenticate(ada.account.access)
        async with asyncio.timeout(1):
            await in_database(logins.deactivate, ada.login.user)
            endings = await asyncio.gather(here.ending(), there.ending())
    assert {(ending.code, ending.reason) for ending in endings} == {(4401, "revoked")}


async def test_a_refresh_token_that_comes_back_closes_the_sockets_of_its_login(
    ada: Person, one: Server, other: Server
) -> None:
    stolen = pair_of(ada.login).refresh
    async with ada.account.http() as http:
        assert (await _refreshed(http, stolen)).status_code == 200
        await in_database(_long_ago, ada.login.pk)
        async with raw(one.base) as here, raw(other.base) as there:
            for socket in (here, there):
                await socket.authenticate(ada.account.access)
            async with asyncio.timeout(1):
                assert (await _refreshed(http, stolen)).status_code == 401
                endings = await asyncio.gather(here.ending(), there.ending())
    assert {(ending.code, ending.reason) for ending in endings} == {(4401, "revoked")}


async def _refreshed(http: Any, token: str) -> Any:
    return await http.post("/users/token/refresh/", json={"refresh": token})


def _long_ago(login_id: int) -> None:
    before = F("refreshed_at") - timedelta(seconds=11)
    Login.objects.filter(pk=login_id).update(refreshed_at=before)


@pytest.mark.usefixtures("_timekeeper")
async def test_both_see_the_end_once_and_not_early(desk: Desk) -> None:
    await desk.laptop.measure_clock()
    session = await desk.ada.has_session(duration=1)
    await desk.laptop.command("start", session.id)
    extended = await desk.phone.command("extend", session.id, seconds=-58)
    ended = await desk.both_hear("session.ended", session=session.id)
    assert (ended["cause"], ended["space"]["type"]) == ("completed", "star")
    assert ended["ended_at"] == extended["state"]["timer"]["ends_at"]
    deadline_ms = datetime.fromisoformat(ended["ended_at"]).timestamp() * 1000
    late_ms = ended["arrived"] * 1000 + desk.laptop.offset_ms - deadline_ms
    assert -20 < late_ms < 1_000  # our own measurement may be off by some milliseconds
    assert 0 <= ended["late_ms"] < 1_000
    for watcher in (desk.laptop, desk.phone):
        assert [f["type"] for f in watcher.frames].count("session.ended") == 1
        ticks = [f["remaining_ms"] for f in watcher.frames if f["type"] == "session.tick"]
        assert ticks[-1] == 1_000


@pytest.mark.usefixtures("_timekeeper")
async def test_with_every_window_closed_the_session_ends_and_is_there_later(ada: Person) -> None:
    session = await ada.has_session(duration=1)
    async with device(ada.account) as laptop:
        seen = {"epoch": laptop.ready["epoch"], "since": laptop.ready["revision"]}
        await laptop.command("start", session.id)
        extended = await laptop.command("extend", session.id, seconds=-59)
    await stored(session.id, "completed")
    async with device(ada.account, **seen) as laptop:
        kinds = [change["kind"] for change in laptop.ready["changes"]]
        end = laptop.ready["changes"][-1]
    assert laptop.ready["active"] is None
    assert kinds == ["started", "extended", "completed"]
    assert end["state"]["timer"]["ended_at"] == extended["state"]["timer"]["ends_at"]
    assert (end["space"]["type"], end["space"]["session"]) == ("star", session.id)


def without_arrival(frame: Frame) -> Frame:
    return {name: value for name, value in frame.items() if name != "arrived"}
