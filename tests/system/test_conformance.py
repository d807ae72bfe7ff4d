"""The contract with clients holds on Daphne too.

`tests/app/realtime` proves each promise on uvicorn, in one process with the test.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from websockets.exceptions import InvalidStatus

from benchmarks.device import Device, device
from realtime.database import in_database
from realtime.protocol.limits import BAD_FRAMES, BURST
from realtime.protocol.messages import LARGEST_FRAME
from sessions_app import services
from sessions_app.models import Task
from tests.support.devices import Person, person, raw
from tests.support.servers import Server, servers
from tests.support.slow_reader import stops_reading


@pytest.fixture
def server(daphne: Server, transactional_db: None) -> Server:
    return daphne


@pytest.fixture
async def ada(server: Server) -> Person:
    return await person(server.base, "ada")


@pytest.fixture(autouse=True)
def _clean_log(request: pytest.FixtureRequest) -> Any:
    """No traceback is written while the test runs."""
    if "server" not in request.fixturenames:
        yield
        return
    server: Server = request.getfixturevalue("server")
    before = len(server.log)
    yield
    new = server.log[before:]
    assert "Traceback" not in new, new


async def test_a_session_is_started_counted_paused_and_finished(ada: Person) -> None:
    session = await ada.has_session()
    async with device(ada.account) as laptop, device(ada.account, "Phone") as phone:
        assert laptop.ready["reset"] is True
        await laptop.measure_clock(2)
        started = await laptop.command("start", session.id)
        tick = await phone.heard_type("session.tick", version=started["version"])
        paused = await phone.command("pause", session.id)
        told = await laptop.heard_type("session.state", version=paused["version"])
        await laptop.command("finish", session.id)
        ended = await phone.heard_type("session.ended")
    assert tick["remaining_ms"] == 1_499_000
    assert (told["cause"], told["device"]) == ("paused", "Phone")
    assert (ended["cause"], ended["space"]["type"]) == ("finished", "star")


async def test_a_device_that_comes_back_gets_what_it_missed(ada: Person) -> None:
    async with device(ada.account) as laptop:
        seen = {"epoch": laptop.ready["epoch"], "since": laptop.ready["revision"]}
    session = await ada.has_running()
    async with device(ada.account, **seen) as laptop:
        assert [change["kind"] for change in laptop.ready["changes"]] == ["created", "started"]
        assert laptop.ready["active"]["id"] == session.id


async def test_a_native_client_may_show_its_token_in_the_handshake(ada: Person) -> None:
    header = {"Authorization": f"Bearer {ada.account.access}"}
    async with raw(ada.account.base, additional_headers=header) as socket:
        assert (await socket.next())["type"] == "ready"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:5174"])
async def test_a_foreign_page_is_refused_in_the_handshake(server: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with raw(server.base, origin=origin):
            pass
    assert refusal.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://localhost:5173", "own"])
async def test_a_page_of_ours_is_let_in(ada: Person, origin: str) -> None:
    origin = ada.account.base if origin == "own" else origin
    async with device(ada.account, origin=origin) as laptop:
        assert laptop.ready["type"] == "ready"


async def test_an_unknown_path_is_refused_in_the_handshake(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with raw(server.base, "/elsewhere/"):
            pass
    assert refusal.value.response.status_code in {403, 404}  # Daphne knows only the one


A_LONG_NUMBER = '{"type": "ping", "client_time": ' + "9" * 5_000 + "}"


@pytest.mark.parametrize(
    "frame",
    ["", b"", b"\xff", "null", "[" * 16_000, A_LONG_NUMBER, '{"type": "\\ud800"}', '"\0"'],
)
async def test_a_bad_frame_is_answered_and_the_socket_stays(
    ada: Person, frame: str | bytes
) -> None:
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        await socket.send_raw(frame)
        assert (await socket.next())["code"] == "bad_message"
        await socket.send(type="ping", client_time=1)
        assert (await socket.next())["type"] == "pong"


@pytest.mark.parametrize(
    ("code", "reconnect", "frames"),
    [
        (4400, False, ["nonsense"] * BAD_FRAMES),
        (4413, False, [" " * (LARGEST_FRAME + 1)]),
        (4429, True, [json.dumps({"type": "ping", "client_time": 1})] * BURST),
    ],
)
async def test_misuse_ends_the_socket_with_a_code(
    ada: Person, code: int, reconnect: bool, frames: list[str]
) -> None:
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        for frame in frames:
            await socket.send_raw(frame)
        ending = await socket.ending()
    assert (ending.code, ending.closing["reconnect"]) == (code, reconnect)


async def test_without_a_good_token_there_is_nothing(server: Server) -> None:
    async with raw(server.base) as socket:
        await socket.send(type="authenticate", token="nonsense")
        ending = await socket.ending()
    assert (ending.code, ending.reason) == (4401, "token_not_valid")
    async with raw(server.base) as socket:
        await socket.send(type="sync")
        assert (await socket.ending()).code == 4401


async def test_a_token_s_end_is_the_socket_s_end(ada: Person) -> None:
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.token_that_lasts(1.5))
        ending = await socket.ending()
    assert (ending.code, ending.reason) == (4401, "token_expired")


async def test_the_eleventh_socket_sends_the_first_away(ada: Person) -> None:
    first = raw(ada.account.base)
    async with first as oldest:
        await oldest.authenticate(ada.account.access)
        others = [raw(ada.account.base) for _ in range(10)]
        opened = await asyncio.gather(*(other.__aenter__() for other in others))
        for socket in opened:
            assert (await socket.authenticate(ada.account.access))["type"] == "ready"
        ending = await oldest.ending()
        await asyncio.gather(*(other.__aexit__(None, None, None) for other in others))
    assert (ending.code, ending.closing["reconnect"]) == (4409, False)


CROWD = 500


@pytest.mark.parametrize("kind", ["one", "daphne"])
async def test_a_crowd_that_comes_at_once_is_let_in(
    request: pytest.FixtureRequest, kind: str, transactional_db: None
) -> None:
    """As after a restart: none is refused, however long the queue is."""
    server: Server = request.getfixturevalue(kind)
    host, port = server.base.removeprefix("http://").split(":")
    handshake = (
        f"GET /ws/ HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()

    async def comes() -> bytes:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(handshake)
        try:
            return await reader.readline()
        finally:
            writer.close()

    async with asyncio.timeout(40):
        answers = await asyncio.gather(*(comes() for _ in range(CROWD)))
    assert [answer.split()[1] for answer in answers] == [b"101"] * CROWD


TASKS, EDITS = 900, 3  # a state of 100 KB: more than a server reads of a frame, and keeps unsent
CUT_WITHIN_S = 35.0  # 15 s of ticks that did not fit, and two to be closed; pings need 40


def _with_tasks(session_id: int) -> None:
    Task.objects.bulk_create(
        Task(session_id=session_id, title=f"Task {number}", duration=1, created_at=timezone.now())
        for number in range(TASKS)
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_a_client_that_stops_reading_is_cut_and_the_others_go_on(
    transactional_db: None, tmp_path: Path
) -> None:
    with servers(tmp_path, "daphne", DJANGO_SETTINGS_MODULE="tests.support.small_buffers") as [
        server
    ]:
        ada = await person(server.base, "ada")
        session = await ada.has_session(duration=TASKS)
        await in_database(_with_tasks, session.id)
        await ada.does(services.start, session.id)
        async with device(ada.account) as other:
            with await stops_reading(ada.account.access, ada.account.base) as client:
                for number in range(EDITS):
                    edited = await ada.does(services.edit, session.id, {"title": f"Write {number}"})
                async with asyncio.timeout(CUT_WITHIN_S):
                    while _is_held(client, server):
                        await other.heard_type("pong", CUT_WITHIN_S, id=await ping(other))
            ticks = [f for f in other.frames if f["type"] == "session.tick"]
        # Those of 100 KB filled its own small buffer too, for a moment.
        heard = [f["remaining_ms"] for f in ticks if f["version"] == edited.timer.version][1:]
        assert len(heard) > 10
        assert heard == list(range(heard[0], heard[-1] - 1, -1000))  # none was left out
        assert "Traceback" not in server.log


def _is_held(client: socket.socket, server: Server) -> bool:
    """Whether a process still has the other end; what the kernel keeps of it has no inode."""
    here, there = f":{client.getsockname()[1]:04X}", f":{int(server.base.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(
        local.endswith(there) and remote.endswith(here) and row[6] != "0"
        for _, local, remote, *row in rows
    )


async def ping(watcher: Device) -> str:
    """A ping every half a second is within what a socket may say."""
    await asyncio.sleep(0.6)
    frame_id = f"p{next(watcher.ids)}"
    await watcher.send(type="ping", id=frame_id, client_time=1)
    return frame_id
