"""One socket, against the whole application on a real server, database and Redis."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from accounts.auth.tokens import pair_of
from accounts.services import logins
from benchmarks.device import device
from realtime import database
from realtime.broker import publisher
from realtime.broker.channel_layer import channel_layer
from realtime.database import in_database
from realtime.delivery.outbox import LONGEST_QUEUE
from realtime.hub import admission
from realtime.hub.background import Node
from realtime.protocol.close_codes import Close
from realtime.protocol.limits import BAD_FRAMES, BURST
from realtime.protocol.messages import LARGEST_FRAME, Command
from realtime.sockets import consumer as consumers
from sessions_app import services
from sessions_app.timekeeper.loop import finish_due
from tests.support.devices import Person, database_down, messages_lost, raw, room_of, until
from tests.support.people import time_passes

# -- coming in -----------------------------------------------------------------------------------


async def test_a_first_ready_has_the_state_and_asks_to_load_the_lists(
    ada: Person,
) -> None:
    running = await ada.has_running()
    async with device(ada.account) as laptop:
        ready = laptop.ready
    assert ready["type"] == "ready"
    assert ready["user"] == ada.id
    assert ready["reset"] is True
    assert ready["changes"] == []
    assert ready["revision"] == 2
    assert ready["active"]["id"] == running.id
    assert ready["active"]["timer"]["status"] == "running"
    assert ready["heartbeat_s"] == 15
    assert ready["connection"]


async def test_a_device_that_reconnects_gets_exactly_what_it_missed(ada: Person) -> None:
    async with device(ada.account) as laptop:
        epoch, since = laptop.ready["epoch"], laptop.ready["revision"]
    session = await ada.has_running("Missed")
    other = await ada.has_session("Another")
    async with device(ada.account, epoch=epoch, since=since) as laptop:
        ready = laptop.ready
    assert ready["reset"] is False
    assert [(c["kind"], c["session"], c["revision"]) for c in ready["changes"]] == [
        ("created", session.id, since + 1),
        ("started", session.id, since + 2),
        ("created", other.id, since + 3),
    ]
    assert [c["state"] and c["state"]["title"] for c in ready["changes"]] == [
        None,
        "Missed",
        "Another",
    ]
    assert ready["revision"] == since + 3
    async with device(ada.account, epoch=epoch, since=since + 3) as laptop:
        assert (laptop.ready["reset"], laptop.ready["changes"]) == (False, [])


@pytest.mark.parametrize("seen", [{"epoch": "another life", "since": 0}, {"since": 99}])
async def test_a_device_of_another_epoch_is_reset(ada: Person, seen: dict[str, Any]) -> None:
    async with device(ada.account, **seen) as laptop:
        assert laptop.ready["reset"] is True


async def test_a_native_client_may_send_its_token_in_the_handshake(ada: Person) -> None:
    header = {"Authorization": f"Bearer {ada.account.access}"}
    async with raw(ada.account.base, additional_headers=header) as socket:
        ready = await socket.next()
    assert (ready["type"], ready["user"]) == ("ready", ada.id)


async def test_a_bad_token_in_the_handshake_is_refused_with_a_code(base: str) -> None:
    header = {"Authorization": "Bearer nonsense"}
    async with raw(base, additional_headers=header) as socket:
        assert (await socket.ending()).code == Close.NOT_AUTHENTICATED


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "command", "id": "c", "session": 1, "action": "start"},
        {"type": "ping", "client_time": 1},
        {"type": "ticks", "every_ms": 0},
        {"type": "sync"},
    ],
    ids=lambda frame: frame["type"],
)
async def test_a_frame_before_authentication_closes_the_socket(
    base: str, frame: dict[str, Any]
) -> None:
    async with raw(base) as socket:
        await socket.send(**frame)
        ending = await socket.ending()
    assert (ending.code, ending.reason) == (Close.NOT_AUTHENTICATED, "not_authenticated")
    assert ending.frames == []


async def test_a_socket_that_does_not_authenticate_in_time_is_closed(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert consumers.AUTHENTICATE_WITHIN_S == 5
    monkeypatch.setattr(consumers, "AUTHENTICATE_WITHIN_S", 0.05)
    async with raw(base) as socket:
        ending = await socket.ending()
    assert ending.code == Close.TOO_SILENT
    assert ending.closing["reconnect"] is True


async def test_a_token_that_is_not_valid_is_refused_with_its_reason(ada: Person) -> None:
    ended = await in_database(logins.log_in, ada.login.user, device="Phone")
    await in_database(logins.log_out, ended.pk)
    for token, reason in {
        **dict.fromkeys(("", "nonsense", "a.b.c", "e" * 4096), "token_not_valid"),
        ada.account.refresh: "token_not_valid",
        ada.token_that_lasts(-60): "token_expired",
        pair_of(ended).access: "revoked",
    }.items():
        async with raw(ada.account.base) as socket:
            await socket.send(type="authenticate", token=token)
            ending = await socket.ending()
        assert (ending.code, ending.reason) == (Close.NOT_AUTHENTICATED, reason), token


async def test_without_the_database_a_token_is_not_refused(ada: Person) -> None:
    async with raw(ada.account.base) as socket:
        with database_down():
            await socket.send(type="authenticate", token=ada.account.access)
            ending = await socket.ending()
    assert (ending.code, ending.closing["reconnect"]) == (Close.RESTARTING, True)


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        *((path, None) for path in ("/", "/ws", "/ws/x", "/wss/", "/ws/%00", "/sessions/1/", "/é")),
        *(("/ws/", origin) for origin in ("https://evil.example", "null", "http://localhost:5174")),
    ],
)
async def test_an_unknown_path_or_origin_is_refused_in_the_handshake_without_a_traceback(
    base: str, path: str, origin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with raw(base, path, origin=origin):
            pass
    assert refusal.value.response.status_code == 403
    assert tracebacks(caplog) == []


async def test_a_listed_page_may_open_a_socket(ada: Person) -> None:
    async with device(ada.account, origin="http://localhost:5173") as laptop:
        assert laptop.ready["type"] == "ready"


# -- staying -------------------------------------------------------------------------------------


async def test_a_new_token_of_the_same_user_extends_the_socket(ada: Person) -> None:
    async with raw(ada.account.base) as socket:
        before = await socket.authenticate(ada.token_that_lasts(60))
        [consumer] = room_of(ada).sockets
        assert "authenticate" not in consumer._timers
        ends_before = consumer._timers["token"].when()
        after = await socket.authenticate(ada.account.access)
        assert consumer._timers["token"].when() > ends_before + 3_600
    assert after["type"] == "ready"
    assert after["token_expires_at"] > before["token_expires_at"]
    assert after["connection"] == before["connection"]


async def test_a_token_of_another_user_closes_the_socket(ada: Person, eve: Person) -> None:
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        await socket.send(type="authenticate", token=eve.account.access)
        ending = await socket.ending()
    assert (ending.code, ending.closing["reconnect"]) == (Close.NOT_ALLOWED, False)


async def test_an_expired_token_closes_the_socket(ada: Person) -> None:
    async with raw(ada.account.base) as socket:
        ready = await socket.authenticate(ada.token_that_lasts(1.5))
        ending = await socket.ending()
    assert ready["type"] == "ready"
    assert (ending.code, ending.reason) == (Close.NOT_AUTHENTICATED, "token_expired")


async def test_the_oldest_sockets_of_a_user_with_too_many_are_closed(
    ada: Person, eve: Person, settings: Any
) -> None:
    settings.SOCKETS_PER_USER = 2
    async with (
        device(eve.account) as bystander,
        raw(ada.account.base) as first,
        raw(ada.account.base) as second,
        raw(ada.account.base) as third,
        raw(ada.account.base) as fourth,
    ):
        for socket in (first, second, third, fourth):
            await socket.authenticate(ada.account.access)
        for socket in (first, second):
            ending = await socket.ending()
            assert (ending.code, ending.closing["reconnect"]) == (Close.TOO_MANY_SOCKETS, False)
        await until(lambda: len(room_of(ada).sockets) == 2)
        await third.send(type="ping", client_time=1)
        await fourth.send(type="ping", client_time=1)
        assert (await third.next("pong", "closing"))["type"] == "pong"
        assert (await fourth.next("pong", "closing"))["type"] == "pong"
        assert bystander.frames == []


async def test_of_many_sockets_opened_at_once_the_allowed_number_stays(
    ada: Person, settings: Any
) -> None:
    settings.SOCKETS_PER_USER = 3
    async with AsyncExitStack() as stack:
        came = [await stack.enter_async_context(raw(ada.account.base)) for _ in range(9)]
        first = await asyncio.gather(*(s.authenticate(ada.account.access) for s in came))
        admitted = [s for s, frame in zip(came, first, strict=True) if frame["type"] == "ready"]
        for socket in admitted:
            with suppress(ConnectionClosed):
                await socket.send(type="ping", client_time=1)
        last = [(await socket.next("pong", "closing"))["type"] for socket in admitted]
    assert last.count("pong") == 3


async def test_a_silent_socket_gets_heartbeats(ada: Person, settings: Any) -> None:
    settings.HEARTBEAT_S = 1
    async with device(ada.account) as laptop:
        first = await laptop.heard_type("heartbeat")
        second = await laptop.heard(
            lambda f: f["type"] == "heartbeat" and f["server_time"] > first["server_time"]
        )
    assert second["arrived"] - first["arrived"] >= 0.7  # within the last quarter of its time


# -- what one may say ----------------------------------------------------------------------------


async def test_a_ping_is_answered_with_the_clock_of_the_database(ada: Person) -> None:
    async with device(ada.account) as laptop:
        await laptop.send(type="ping", id="p", client_time=12.5)
        pong = await laptop.heard_type("pong", id="p")
        assert pong["client_time"] == 12.5
        assert pong["server_received"] <= pong["server_sent"] < pong["server_received"] + 1_000


async def test_a_command_is_acknowledged_and_announced_to_all_devices(ada: Person) -> None:
    session = await ada.has_session()
    async with device(ada.account, "Phone") as phone, device(ada.account) as laptop:
        ack = await phone.command("start", session.id)
        # That it was created may come late, and again.
        sent = await laptop.heard_type("session.state", session=session.id, cause="started")
        also = await phone.heard_type("session.state", session=session.id, cause="started")
    assert (ack["type"], ack["version"]) == ("ack", session.timer.version + 1)
    assert ack["state"]["timer"]["status"] == "running"
    assert {k: sent[k] for k in ("cause", "device", "version", "revision")} == {
        "cause": "started",
        "device": "Phone",
        "version": ack["version"],
        "revision": phone.ready["revision"] + 1,
    }
    assert sent["state"]["timer"]["ends_at"] == ack["state"]["timer"]["ends_at"]
    assert also["state"] == sent["state"]


async def test_commands_of_one_socket_are_done_in_order(ada: Person) -> None:
    session = await ada.has_session()
    actions = ["start", *["pause", "resume"] * 8, "pause"]
    async with device(ada.account) as laptop:
        for number, action in enumerate(actions):
            await laptop.send(type="command", id=str(number), session=session.id, action=action)
        await laptop.heard_type("ack", id=str(len(actions) - 1))
        acks = [f for f in laptop.frames if f["type"] in {"ack", "error"}]
    assert [ack["id"] for ack in acks] == [str(n) for n in range(len(actions))]
    assert [ack["type"] for ack in acks] == ["ack"] * len(actions)


async def test_a_refused_command_is_answered_with_the_state(ada: Person) -> None:
    session = await ada.has_running()
    async with device(ada.account) as laptop:
        forbidden = await laptop.command("start", session.id)
        stale = await laptop.command("pause", session.id, version=1)
    assert [forbidden["code"], stale["code"]] == ["illegal_transition", "stale_version"]
    for error in (forbidden, stale):
        assert (error["type"], error["session"]) == ("error", session.id)
        assert error["version"] == error["state"]["timer"]["version"] == session.timer.version
        assert error["state"]["timer"]["status"] == "running"


async def test_a_second_start_names_the_session_that_runs_and_may_replace_it(
    ada: Person,
) -> None:
    running = await ada.has_running("First")
    second = await ada.has_session("Second")
    async with device(ada.account) as laptop:
        error = await laptop.command("start", second.id)
        ack = await laptop.command("start", second.id, replace=True)
        ended = await laptop.heard_type("session.ended", session=running.id)
        started = await laptop.heard_type("session.state", session=second.id)
    assert (error["code"], error["session"]) == ("another_session_is_active", running.id)
    assert ack["state"]["timer"]["status"] == "running"
    assert (ended["cause"], ended["revision"] + 1) == ("finished", started["revision"])


async def test_the_same_key_has_one_effect_and_one_answer(ada: Person) -> None:
    session = await ada.has_session()
    async with device(ada.account) as laptop, device(ada.account) as phone:
        first = await laptop.command("start", session.id, key="k1")
        await ada.does(services.pause, session.id)
        again = await phone.command("start", session.id, key="k1")
        other = await phone.command("resume", session.id, key="k1")
        new = await phone.command("start", session.id, key="k2")
    for answer in (first, again):
        del answer["id"], answer["arrived"]
    assert again == first
    assert other["code"] == "idempotency_mismatch"
    assert new["code"] == "illegal_transition"


async def test_a_command_without_the_database_is_unavailable(ada: Person) -> None:
    session = await ada.has_running()
    async with device(ada.account) as laptop:
        with database_down():
            error = await laptop.command("pause", session.id, key="k")
        ack = await laptop.command("pause", session.id, key="k")
    assert error["code"] == "unavailable"
    assert ack["type"] == "ack"


async def test_a_command_waits_for_another_command_of_its_user_and_not_for_long(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await ada.has_session()
    async with device(ada.account) as laptop, device(ada.account) as phone:
        async with room_of(ada).command_lock:
            await laptop.send(type="command", id="1", session=session.id, action="start")
            await phone.measure_clock(1)
            assert not [frame for frame in laptop.frames if frame["type"] == "ack"]
        await laptop.heard_type("ack", id="1")
        monkeypatch.setattr(consumers, "COMMAND_LOCK_TIMEOUT_S", 0.01)
        async with room_of(ada).command_lock:
            assert (await laptop.command("pause", session.id))["code"] == "unavailable"
        assert (await laptop.command("pause", session.id))["type"] == "ack"


async def test_a_command_that_fails_by_a_bug_is_internal_and_the_socket_stays(
    ada: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    async with device(ada.account) as laptop:
        with monkeypatch.context() as patched:
            patched.setattr("realtime.sockets.commands.command", broken)
            error = await laptop.command("pause", 1)
        assert error["code"] == "internal"
        await laptop.measure_clock(1)
    assert len(tracebacks(caplog)) == 1


async def test_a_device_that_saw_a_gap_gets_what_it_missed(ada: Person) -> None:
    async with device(ada.account) as laptop:
        session = await ada.has_session()
        await laptop.heard_type("session.state")
        await laptop.send(type="sync", epoch=laptop.ready["epoch"], since=laptop.ready["revision"])
        ready = await laptop.heard_type("ready")
        assert [change["session"] for change in ready["changes"]] == [session.id]
        await laptop.send(type="sync", epoch="another life", since=0)
        await laptop.heard_type("ready", reset=True)


# -- what one may not say ------------------------------------------------------------------------


async def test_five_bad_frames_close_the_socket_and_later_ones_have_no_effect(
    ada: Person,
) -> None:
    session = await ada.has_session()
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        for _ in range(BAD_FRAMES):
            await socket.send_raw("nonsense")
        await socket.send(type="command", id="c", session=session.id, action="start")
        ending = await socket.ending()
    assert [frame["code"] for frame in ending.frames] == ["bad_message"] * BAD_FRAMES
    assert (ending.code, ending.closing["reconnect"]) == (Close.MISUSE, False)


@pytest.mark.parametrize("kind", [str, bytes])
async def test_a_frame_above_the_largest_size_closes_the_socket(
    ada: Person, kind: type[str] | type[bytes]
) -> None:
    ping = json.dumps({"type": "ping", "client_time": 1})
    too_large = "é" * (LARGEST_FRAME // 2) + "x"
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        await socket.send_raw(ping + " " * (LARGEST_FRAME - len(ping)))
        assert (await socket.next())["type"] == "pong"
        await socket.send_raw(too_large if kind is str else too_large.encode())
        ending = await socket.ending()
    assert (ending.code, ending.closing["reconnect"]) == (Close.FRAME_TOO_LARGE, False)


async def test_too_many_frames_close_the_socket_and_delay_the_reconnect(
    ada: Person,
) -> None:
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)  # the first of the burst
        for _ in range(BURST):
            await socket.send(type="ping", client_time=1)
        ending = await socket.ending()
    assert [frame["type"] for frame in ending.frames] == ["pong"] * (BURST - 1)
    assert (ending.code, ending.closing["reconnect"]) == (Close.TOO_MANY_FRAMES, True)
    assert ending.closing["after_ms"] >= 5_000


async def test_repeated_syncs_with_many_changes_exceed_the_budget(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To tell of two hundred changes is work for more than a frame."""
    monkeypatch.setattr(consumers, "CHANGES_PER_FRAME", 1)
    await ada.has_running()  # two changes
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access, since=0)
        for _ in range(BURST - 1):  # without the changes that would not be too many
            await socket.send(type="sync", since=0)
        ending = await socket.ending()
    assert ending.code == Close.TOO_MANY_FRAMES
    answered = [frame for frame in ending.frames if frame["type"] == "ready"]
    assert BURST // 3 - 1 <= len(answered) < BURST // 2


# -- ticks ---------------------------------------------------------------------------------------


async def test_no_tick_comes_before_ready(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client takes the first frame for the answer to its first frame."""
    session = await ada.has_running()
    read = admission._read_all

    def slowly(*arguments: Any) -> Any:
        """The database answers after another device has got a tick."""
        ticking.wait(10)
        return read(*arguments)

    ticking = threading.Event()
    async with device(ada.account) as laptop, raw(ada.account.base) as phone:
        monkeypatch.setattr(admission, "_read_all", slowly)
        answer = asyncio.ensure_future(phone.authenticate(ada.account.access))
        await until(lambda: len(Node.here().hub.sockets()) == 2)
        seen = len(laptop.frames)
        await laptop.heard(lambda f: f["type"] == "session.tick" and f in laptop.frames[seen:])
        ticking.set()
        assert (await answer)["type"] == "ready"
        assert (await phone.next("session.tick"))["session"] == session.id


async def test_a_command_moves_the_ticks_though_its_message_is_lost(ada: Person) -> None:
    session = await ada.has_running()
    async with device(ada.account) as laptop:
        with messages_lost():
            await laptop.command("pause", session.id)
            assert Node.here().hub.ticker._sessions == {}


async def test_a_repeated_answer_brings_no_ticks_back(ada: Person) -> None:
    session = await ada.has_session()
    async with device(ada.account) as laptop:
        await laptop.command("start", session.id, key="k")
    await ada.does(services.finish, session.id)
    await until(lambda: Node.here().hub.rooms == {})
    async with device(ada.account) as laptop:
        assert laptop.ready["active"] is None
        repeated = await laptop.command("start", session.id, key="k")
        assert repeated["state"]["timer"]["status"] == "running"
        # The message of the start may be read only now; that of the end follows it.
        await until(lambda: Node.here().hub.ticker._sessions == {})


async def test_a_change_does_not_overtake_the_answer_to_sync(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await ada.has_session()
    read = admission._read_all

    def slowly(*arguments: Any) -> Any:
        before = read(*arguments)
        services.start(session.id, by=ada.actor)
        publisher.flush()
        heard.wait(10)
        return before

    heard = threading.Event()
    async with device(ada.account) as laptop, raw(ada.account.base) as phone:
        await phone.authenticate(ada.account.access)
        monkeypatch.setattr(admission, "_read_all", slowly)
        await phone.send(type="sync", since=1)
        await laptop.heard_type("session.state", cause="started")
        heard.set()
        assert (await phone.next("ready", "session.state"))["type"] == "ready"
        assert (await phone.next("ready", "session.state"))["cause"] == "started"


async def test_a_silent_database_is_unavailable(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await ada.has_session()
    async with device(ada.account) as laptop, raw(ada.account.base) as phone:
        thawed = threading.Event()
        monkeypatch.setattr(database, "SOCKET_TIMEOUT_S", 0.1)
        monkeypatch.setattr("realtime.sockets.commands.command", lambda *_, **__: thawed.wait(10))
        monkeypatch.setattr(admission, "admit_all", lambda _: thawed.wait(10))
        error = await laptop.command("start", session.id)
        await phone.send(type="authenticate", token=ada.account.access)
        ending = await phone.ending()
        thawed.set()
    assert (error["type"], error["code"]) == ("error", "unavailable")
    assert ending.code == 4503


async def test_a_device_gets_ticks_as_often_as_it_wants(ada: Person) -> None:
    await ada.has_running()
    async with (
        device(ada.account) as usual,
        device(ada.account) as calm,
        device(ada.account) as quiet,
    ):
        await calm.send(type="ticks", every_ms=2_000)
        await quiet.send(type="ticks", every_ms=0)
        await calm.measure_clock(1)  # it is done when what follows is answered
        await quiet.measure_clock(1)
        for watcher in (usual, calm, quiet):
            watcher.frames.clear()
        await calm.heard_type("session.tick")
        await until(lambda: len(usual.frames) >= 3)
        assert all(f["remaining_ms"] % 2_000 == 0 for f in calm.frames)
        assert quiet.frames == []


# -- changes -------------------------------------------------------------------------------------


async def test_the_end_comes_once_with_its_star(ada: Person) -> None:
    session = await ada.has_running(duration=25)
    async with device(ada.account) as laptop:
        await in_database(time_passes, 25 * 60)
        await in_database(finish_due)
        ended = await laptop.heard_type("session.ended")
        await in_database(finish_due)
        later = await ada.has_session()
        await laptop.heard_type("session.state", session=later.id)
        ends = [frame for frame in laptop.frames if frame["type"] == "session.ended"]
    assert len(ends) == 1
    assert (ended["cause"], ended["session"]) == ("completed", session.id)
    assert ended["ended_at"] == ended["state"]["timer"]["ended_at"]
    assert ended["late_ms"] >= 0
    assert (ended["space"]["type"], ended["space"]["session"]) == ("star", session.id)


async def test_changes_of_tasks_carry_their_session(ada: Person) -> None:
    session = await ada.has_session()
    async with device(ada.account) as laptop:
        task = await ada.does(services.add_task, session.id, title="Draft", duration=5)
        changed = await laptop.heard_type("task.changed")
        await ada.does(services.delete_task, session.id, task.id)
        deleted = await laptop.heard_type("task.deleted")
        await ada.does(services.delete, session.id)
        gone = await laptop.heard_type("session.deleted")
    assert (changed["task"]["title"], len(changed["state"]["tasks"])) == ("Draft", 1)
    assert (deleted["task"], deleted["state"]["tasks"]) == (task.id, [])
    assert (gone["session"], gone["state"]) == (session.id, None)
    assert [f["revision"] for f in (changed, deleted, gone)] == [2, 3, 4]


async def test_a_watcher_ends_up_with_the_state_of_a_new_socket(ada: Person) -> None:
    session = await ada.has_session()
    async with device(ada.account) as laptop:
        for action in ("start", "pause", "resume"):
            await laptop.command(action, session.id)
        await laptop.command("extend", session.id, seconds=60)
        sent = await laptop.heard_type("session.state", cause="extended")
        async with device(ada.account) as new:
            shown = new.ready["active"]
    for state in (sent["state"], shown):  # what changes while it runs
        for name in ("server_time", "remaining_ms", "focused_ms"):
            del state["timer"][name]
    assert sent["state"] == shown


async def test_a_change_between_joining_and_reading_is_not_lost(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = admission._read_all

    def read(*args: Any) -> Any:
        services.create(by=ada.actor, title="Meanwhile", duration=5)
        return real(*args)

    async with device(ada.account) as laptop:
        seen = {"epoch": laptop.ready["epoch"], "since": laptop.ready["revision"]}
    monkeypatch.setattr(admission, "_read_all", read)
    async with device(ada.account, **seen) as laptop:
        assert [change["state"]["title"] for change in laptop.ready["changes"]] == ["Meanwhile"]


async def test_a_change_during_the_read_is_sent_after_ready(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, loop = admission._read_all, asyncio.get_running_loop()

    def read(*args: Any) -> Any:
        found = real(*args)
        services.create(by=ada.actor, title="Meanwhile", duration=5)
        assert publisher.flush()
        asyncio.run_coroutine_threadsafe(
            until(lambda: all(socket._waiting for socket in room_of(ada).sockets)), loop
        ).result()
        return found

    monkeypatch.setattr(admission, "_read_all", read)
    async with device(ada.account) as laptop:
        sent = await laptop.heard_type("session.state")
        assert sent["state"]["title"] == "Meanwhile"
        assert sent["revision"] == laptop.ready["revision"] + 1
        # It counts as heard: nothing is left to be healed.
        assert room_of(ada).revision == sent["revision"]


# -- our own faults ------------------------------------------------------------------------------


async def test_a_bug_closes_the_socket_with_a_code_and_leaves_nothing_behind(
    ada: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(frame: Command, by: Any, on_done: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(consumers, "perform", broken)
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        assert len(groups_joined()) == 1
        await socket.send(type="command", id="c", session=1, action="start")
        ending = await socket.ending()
        assert (ending.code, ending.closing["reconnect"]) == (Close.OUR_FAULT, True)
        await until(lambda: Node.here().hub.rooms == {} and groups_joined() == set())
    assert len(tracebacks(caplog)) == 1


async def test_a_client_that_does_not_read_delays_no_other_and_is_cut(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "CLOSED_WITHIN_S", 0.1)
    await ada.has_running()
    async with raw(ada.account.base, max_queue=1) as stalled, device(ada.account) as laptop:
        await stalled.authenticate(ada.account.access)
        stalled.socket.transport.pause_reading()
        await until(lambda: len(room_of(ada).sockets) == 2)
        news = json.dumps({"type": "error", "id": None, "code": "long", "message": "x" * 10_000})
        for number in range(LONGEST_QUEUE + 100):
            for consumer in tuple(room_of(ada).sockets):
                consumer.deliver(news, None)
            if number % 10 == 0:  # the laptop reads
                await laptop.measure_clock(1)
        await until(lambda: len(room_of(ada).sockets) == 1)
        laptop.frames.clear()
        await laptop.heard_type("session.tick")
        stalled.socket.transport.resume_reading()
        with suppress(ConnectionClosedError):
            while True:
                await stalled.next()
        assert stalled.socket.close_code == 1006


async def test_a_closed_socket_leaves_nothing_behind(ada: Person) -> None:
    await ada.has_running()
    async with device(ada.account), device(ada.account):
        consumer_timers = [socket._timers for socket in room_of(ada).sockets]
        assert len(Node.here().hub.ticker._sessions) == 1
        assert len(groups_joined()) == 1
    await until(lambda: Node.here().hub.rooms == {} and groups_joined() == set())
    assert Node.here().hub.ticker._sessions == {}
    assert all(timer.cancelled() for timers in consumer_timers for timer in timers.values())


# -- helpers -------------------------------------------------------------------------------------


def groups_joined() -> set[str]:
    return set(channel_layer()._get_layer().groups)


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.exc_info]
