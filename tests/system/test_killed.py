"""What is killed at its worst moment loses nothing, and does nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from websockets.exceptions import ConnectionClosed

from benchmarks.device import Device, Frame, device
from local.part import Part
from realtime.database import in_database
from sessions_app.events import SessionState
from sessions_app.models import Session, SessionEvent, Space
from tests.support.devices import Person, person
from tests.support.people import time_passes
from tests.support.servers import Server, servers, stored, timekeeper

CROWD = 30


People = Callable[[int], Awaitable[list[Person]]]


@pytest.fixture
def people(transactional_db: None) -> People:
    """So many, with accounts."""

    async def people(count: int) -> list[Person]:
        return [await person("", f"user{number}") for number in range(count)]

    return people


async def due_in(seconds: float, crowd: list[Person]) -> dict[int, datetime]:
    """A running session of each, due then or up to a second later; its deadline by its id."""
    ids = [(await someone.has_running(duration=25)).id for someone in crowd]
    return await in_database(_fall_due, ids, seconds)


@transaction.atomic
def _fall_due(ids: list[int], seconds: float) -> dict[int, datetime]:
    time_passes(25 * 60 - seconds)
    sessions = list(Session.objects.filter(pk__in=ids))
    for number, session in enumerate(sessions):
        assert session.ends_at is not None
        session.ends_at += timedelta(milliseconds=number * 1_000 // len(ids))
        session.save(update_fields=["ends_at"])
    return {session.pk: session.ends_at for session in sessions if session.ends_at}


async def ended_once_at(deadlines: dict[int, datetime]) -> None:
    """Each session ended once, at its deadline, recorded after it, with one star."""
    for pk, deadline in deadlines.items():
        session = await stored(pk, "completed", 20)
        assert session.ended_at == deadline
    ids = list(deadlines)
    ends = await in_database(
        lambda: list(SessionEvent.objects.filter(session_id__in=ids, kind="completed"))
    )
    stars = await in_database(
        lambda: Counter(Space.objects.filter(session_id__in=ids).values_list("session", flat=True))
    )
    assert sorted(end.session_id for end in ends) == sorted(ids)
    assert stars == dict.fromkeys(ids, 1)
    assert all(end.at >= deadlines[end.session_id] for end in ends)


async def test_a_timekeeper_killed_in_the_middle_of_its_work_is_made_up_for(
    people: People, tmp_path: Path
) -> None:
    deadlines = await due_in(0, await people(CROWD))
    with timekeeper(tmp_path, "killed") as killed:
        # It has locked and changed the sessions, and now waits to write the log.
        await in_database(_while_the_log_is_locked, killed)
    assert await in_database(Session.objects.filter(status="running").count) == CROWD
    with timekeeper(tmp_path, "next"):
        await ended_once_at(deadlines)


def _while_the_log_is_locked(killed: Part) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE sessions_app_sessionevent IN SHARE MODE")
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
        deadline = time.monotonic() + 10
        count = 0
        while not count:
            assert time.monotonic() < deadline, "it did not come to write the log"
            cursor.execute(waiting, ["sessions_app_sessionevent"])
            (count,) = cursor.fetchone()
        assert killed.process is not None
        killed.process.kill()
        killed.process.wait()


async def test_two_timekeepers_do_nothing_twice_and_one_is_enough(
    people: People, tmp_path: Path
) -> None:
    crowd = await people(CROWD)
    with timekeeper(tmp_path, "one") as one, timekeeper(tmp_path, "two") as two:
        await ended_once_at(await due_in(0.2, crowd))
        deadlines = await due_in(0.2, crowd)
        assert one.process is not None
        one.process.kill()
        await ended_once_at(deadlines)
    for part in (one, two):
        assert "Traceback" not in part.log.read_text()


async def test_what_a_killed_server_acknowledged_is_stored_and_what_it_did_is_done_once(
    one: Server, people: People, tmp_path: Path
) -> None:
    crowd = await people(12)
    sessions = [await someone.has_session() for someone in crowd]
    with servers(tmp_path, "uvicorn") as [victim]:
        async with AsyncExitStack() as stack:
            devices = [
                await stack.enter_async_context(device(someone.account.at(victim.base)))
                for someone in crowd
            ]
            for watcher, session in zip(devices, sessions, strict=True):
                await watcher.send(
                    type="command", id="c", session=session.id, action="start", key="k"
                )
            # The worst moment: the first is told that it is done, the others are being done.
            waits = [asyncio.create_task(watcher.heard_type("ack")) for watcher in devices]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            victim.kill()
            await asyncio.gather(*(watcher.socket.wait_closed() for watcher in devices))
            acked = [wait.result() if wait.done() else None for wait in waits]
            for wait in waits:
                wait.cancel()
    assert any(acked)
    now = await in_database(lambda: [Session.objects.get(pk=s.id).status for s in sessions])
    assert all(status == "running" for status, ack in zip(now, acked, strict=True) if ack)
    answers = await asyncio.gather(*map(partial(_sent_again, one), crowd, devices, sessions))
    for session, ack, answer in zip(sessions, acked, answers, strict=True):
        assert (answer["type"], answer["version"]) == ("ack", session.timer.version + 1)
        if ack is not None:
            assert answer["state"] == ack["state"]
        starts = SessionEvent.objects.filter(session_id=session.id, kind="started")
        assert await in_database(starts.count) == 1


async def _sent_again(
    server: Server, someone: Person, before: Device, session: SessionState
) -> Frame:
    """What a device does that lost its server: it comes back, and asks again what it had asked."""
    seen = {"epoch": before.ready["epoch"], "since": before.ready["revision"]}
    async with device(someone.account.at(server.base), **seen) as watcher:
        missed = [change["kind"] for change in watcher.ready["changes"]]
        answer = await watcher.command("start", session.id, key="k")
        assert missed in ([], ["started"])
        await watcher.heard_type("session.tick", session=session.id)
        return answer


async def closing_of(watcher: Device) -> tuple[Frame, int | None]:
    """What a device was told before its socket was closed, and the code of the close."""
    with contextlib.suppress(ConnectionClosed):
        await watcher.socket.wait_closed()
    return await watcher.heard_type("closing"), watcher.socket.close_code


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_server_that_is_asked_to_stop_tells_every_device_and_is_gone_in_time(
    kind: str, people: People, tmp_path: Path
) -> None:
    with servers(tmp_path, kind) as [server]:
        crowd = await people(12)
        async with AsyncExitStack() as stack:
            devices = [
                await stack.enter_async_context(device(someone.account.at(server.base)))
                for someone in crowd
            ]
            server.terminate()
            exited = asyncio.create_task(asyncio.to_thread(server.seconds_to_exit))
            told = await asyncio.gather(*(closing_of(watcher) for watcher in devices))
            assert await exited < 5
        for closing, code in told:
            expected: dict[str, Any] = {"code": 4503, "reason": "restarting", "reconnect": True}
            assert expected.items() <= closing.items()
            assert code == 4503
        assert server.part.process is not None
        assert "Traceback" not in server.log
