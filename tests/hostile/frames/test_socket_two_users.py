"""Eve names everything of Ada's on her socket: the answers are those to what never existed."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import pytest

from benchmarks.device import device
from realtime.database import in_database
from realtime.protocol.messages import Command
from sessions_app import services
from sessions_app.models import Session, Space, Task
from sessions_app.timekeeper.loop import finish_due
from tests.support.devices import Person, raw
from tests.support.people import time_passes

pytestmark = pytest.mark.usefixtures("unlimited")
ACTIONS = get_args(get_type_hints(Command)["action"])
NEVER = 10**12  # an id that nothing has
ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"version": 1},
    {"version": 99},
    {"key": "a key"},
    {"replace": True},
    {"seconds": 60},
    {"seconds": -86_400, "version": 2, "key": "another key"},
]


@dataclass
class Things:
    """Sessions of every status, by it, and every other id that Ada's things have."""

    sessions: dict[str, int]
    others: dict[str, int]


async def things_of(ada: Person, active: Literal["running", "paused"]) -> Things:
    sessions = {}
    completed = await ada.has_running("Completed", 1)
    await in_database(time_passes, 120)
    await in_database(finish_due)
    sessions["completed"] = completed.id
    for status, service in (("finished", services.finish), ("cancelled", services.cancel)):
        sessions[status] = (await ada.has_running(status)).id
        await ada.does(service, sessions[status])
    deleted = await ada.has_session("Deleted")
    await ada.does(services.delete, deleted.id)
    sessions["deleted"] = deleted.id
    sessions["ready"] = (await ada.has_session("Ready")).id
    await ada.does(services.add_task, sessions["ready"], title="A task", duration=5)
    sessions[active] = (await ada.has_running("Active")).id
    if active == "paused":
        await ada.does(services.pause, sessions[active])
    task = await in_database(Task.objects.get)
    space = await in_database(Space.objects.first)
    assert space is not None
    others = {"task": task.pk, "space": space.pk, "login": ada.login.pk, "user": ada.id}
    return Things(sessions, others)


def _stored(user_id: int) -> list[dict[str, Any]]:
    return list(Session.objects.filter(user_id=user_id).order_by("pk").values())


@pytest.mark.parametrize("active", ["running", "paused"])
async def test_another_users_session_answers_as_one_that_never_existed(
    ada: Person, eve: Person, active: Literal["running", "paused"]
) -> None:
    hers = await things_of(ada, active)
    # No id is Eve's own, so that each is a stranger's or nobody's.
    named = {**hers.sessions, **hers.others}
    before = await in_database(_stored, ada.id)
    async with device(ada.account) as laptop, raw(eve.account.base) as socket:
        laptop.frames.clear()
        assert (await socket.authenticate(eve.account.access))["active"] is None
        for action, arguments in itertools.product(ACTIONS, ARGUMENTS):
            command = {"type": "command", "id": "c", "action": action, **arguments}
            answers = {}
            for what, session in (("never", NEVER), *named.items()):
                # A key belongs to what it was used for: a fresh one for each.
                own = {"key": f"{what} {action} {arguments}"} if "key" in arguments else {}
                await socket.send(**command | own, session=session)
                answers[what] = await socket.socket.recv()
            assert set(answers.values()) == {answers["never"]}, command
            told = json.loads(answers["never"])
            malformed = action == "extend" and "seconds" not in arguments
            assert told["code"] == ("invalid" if malformed else "not_found")
            assert told.keys() == {"type", "id", "code", "message"}
        await laptop.measure_clock(1)
        assert {frame["type"] for frame in laptop.frames} <= {"pong", "session.tick", "heartbeat"}
        assert {frame.get("session", hers.sessions[active]) for frame in laptop.frames} == {
            hers.sessions[active]
        }
    assert await in_database(_stored, ada.id) == before


async def test_another_users_key_gives_none_of_their_answers(ada: Person, eve: Person) -> None:
    session = await ada.has_session("Secret")
    async with raw(ada.account.base) as hers, raw(eve.account.base) as socket:
        await hers.authenticate(ada.account.access)
        await socket.authenticate(eve.account.access)
        command = {"type": "command", "id": "c", "session": session.id, "action": "start"}
        await hers.send(**command, key="shared")
        assert (await hers.next("ack"))["state"]["title"] == "Secret"
        await socket.send(**command, key="shared")
        assert await socket.next() == {
            "type": "error",
            "id": "c",
            "code": "not_found",
            "message": "Nothing is here.",
        }


async def test_another_users_epoch_and_revision_give_only_ones_own_changes(
    ada: Person, eve: Person
) -> None:
    for number in range(5):
        await ada.has_session(f"Ada's {number}")
    async with device(ada.account) as laptop:
        seen = {"epoch": laptop.ready["epoch"], "since": 1}
    own = await eve.has_session("Eve's")
    own = await eve.does(services.start, own.id)
    async with raw(eve.account.base) as socket:
        ready = await socket.authenticate(eve.account.access, **seen)
        await socket.send(type="sync", **seen | {"since": 0})
        synced = await socket.next("ready")
    for frame in (ready, synced):
        assert frame["user"] == eve.id
        assert frame["revision"] == 2
        assert frame["active"]["id"] == own.id
        assert {change["session"] for change in frame["changes"]} == {own.id}
        assert "Ada" not in json.dumps(frame)


async def test_no_change_of_one_user_reaches_another(ada: Person, eve: Person) -> None:
    async with device(eve.account) as hers, device(ada.account) as laptop:
        hers.frames.clear()
        session = await ada.has_running("Ada's")
        for action in ("pause", "resume"):
            await laptop.command(action, session.id)
        await laptop.command("extend", session.id, seconds=60)
        await laptop.heard_type("session.tick")
        await ada.does(services.add_task, session.id, title="Ada's", duration=5)
        await laptop.command("finish", session.id)
        await laptop.heard_type("session.ended")
        await ada.does(services.delete, session.id)
        await laptop.heard_type("session.deleted")
        await hers.measure_clock(1)
        assert {frame["type"] for frame in hers.frames} == {"pong"}


async def test_replacing_finishes_only_ones_own_session(ada: Person, eve: Person) -> None:
    running = await ada.has_running("Ada's")
    own = await eve.has_session("Eve's")
    async with device(eve.account) as hers:
        ack = await hers.command("start", own.id, replace=True)
    assert ack["type"] == "ack"
    assert (await in_database(Session.objects.get, pk=running.id)).status == "running"
