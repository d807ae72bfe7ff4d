"""A lost message is healed: each process asks the database for missed changes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from accounts.auth.tokens import pair_of
from accounts.models import Login
from accounts.services import logins
from benchmarks.device import device
from realtime.broker import channel_layer
from realtime.database import in_database
from realtime.hub import admission, hub, reconcile
from realtime.hub.background import Node
from realtime.hub.subscription import Subscription
from realtime.stats import stats
from sessions_app import changes, services
from sessions_app.timekeeper.loop import finish_due
from tests.support.devices import Person, database_down, messages_lost, raw, room_of, until
from tests.support.people import time_passes

TWO_ROUNDS_AND_SOME_WORK_S = 6.0


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2 * reconcile.ROUND_INTERVAL_S < TWO_ROUNDS_AND_SOME_WORK_S
    monkeypatch.setattr(reconcile, "ROUND_INTERVAL_S", 0.05)
    monkeypatch.setattr(hub, "JOIN_INTERVAL_S", 0.05)


async def test_each_lost_change_is_sent_once(ada: Person) -> None:
    async with device(ada.account) as laptop:
        for number in range(3):
            with messages_lost():
                await ada.has_session(f"Lost {number}")
            await laptop.heard_type("session.state", revision=2 * number + 1)
            await ada.has_session(f"Heard {number}")
            await laptop.heard_type("session.state", revision=2 * number + 2)
    sent = [f["revision"] for f in laptop.frames if f["type"] == "session.state"]
    assert sorted(sent) == [1, 2, 3, 4, 5, 6]


async def test_a_new_socket_that_read_a_lost_change_does_not_hide_it_from_the_others(
    ada: Person,
) -> None:
    async with device(ada.account) as laptop:
        with messages_lost():
            session = await ada.has_running()
        async with device(ada.account) as phone:
            assert phone.ready["active"]["id"] == session.id
            await phone.send(type="sync", since=0)
            sent = await laptop.heard_type("session.state")
    assert (sent["cause"], sent["session"]) == ("started", session.id)


async def test_each_divergence_is_healed_and_counted_once(
    ada: Person, eve: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with device(ada.account) as laptop, device(ada.account), device(eve.account) as other:
        session = await ada.has_session("Heard")
        await laptop.heard_type("session.state", revision=1)
        await no_round_unless_called(monkeypatch)
        before = stats.as_dict()
        with messages_lost():
            for title in ("Lost", "Lost too"):  # of which only the newest is sent
                await ada.does(services.edit, session.id, {"title": title})
            await eve.has_session()
        Node.here().reconciler.messages_lost.set()
        await laptop.heard_type("session.state", revision=3)
        await other.heard_type("session.state", revision=1)
        monkeypatch.setattr(reconcile, "ROUND_INTERVAL_S", 0.05)
        Node.here().reconciler.messages_lost.set()
        await rounds(3)
        with messages_lost():
            await ada.does(services.edit, session.id, {"title": "Lost again"})
        await laptop.heard_type("session.state", revision=4)
        await rounds(3)
    risen = {name: count - before[name] for name, count in stats.as_dict().items()}
    assert (risen["rooms_healed"], risen["changes_healed"]) == (3, 4)
    assert (risen["rooms_reset"], risen["logins_healed"]) == (0, 0)


async def test_healing_does_not_repeat_received_changes(ada: Person) -> None:
    session = await ada.has_running()
    async with device(ada.account) as laptop:
        with messages_lost():
            await ada.does(services.edit, session.id, {"title": "Lost"})
        await ada.does(services.finish, session.id)
        await laptop.heard_type("session.ended")
        await until(lambda: room_of(ada).revision == 4)
        await rounds(3)
    assert len([f for f in laptop.frames if f["type"] == "session.ended"]) == 1


async def test_a_slow_read_of_one_socket_sends_no_end_twice_to_the_others(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its read is from before the end; the others have heard of the end by then."""
    session = await ada.has_running()
    read = admission._read_all

    def slowly(*arguments: Any) -> Any:
        before = read(*arguments)
        services.finish(session.id, by=ada.actor)
        heard.wait(10)
        return before

    heard = threading.Event()
    async with device(ada.account) as laptop, raw(ada.account.base) as phone:
        monkeypatch.setattr(admission, "_read_all", slowly)
        answer = asyncio.ensure_future(phone.authenticate(ada.account.access))
        await laptop.heard_type("session.ended")
        heard.set()
        assert (await answer)["active"]["id"] == session.id
        assert (await phone.next("session.ended"))["session"] == session.id
        await rounds(3)
    assert len([f for f in laptop.frames if f["type"] == "session.ended"]) == 1


async def test_a_lost_end_is_sent_as_an_end_with_its_star(ada: Person) -> None:
    session = await ada.has_running()
    async with device(ada.account) as laptop:
        with messages_lost():
            await in_database(time_passes, 25 * 60)
            await in_database(finish_due)
            await ada.does(services.edit, session.id, {"title": "Renamed"})
        ended = await laptop.heard_type("session.ended")
        edited = await laptop.heard_type("session.state")
        await until(lambda: Node.here().hub.ticker._sessions == {})
    assert (ended["cause"], ended["session"]) == ("completed", session.id)
    assert ended["space"]["type"] == "star"
    assert ended["late_ms"] >= 0
    assert ended["ended_at"] == ended["state"]["timer"]["ended_at"]
    assert edited["state"]["title"] == "Renamed"


@pytest.mark.parametrize(
    ("act", "kind"), [(services.pause, "session.state"), (services.delete, "session.deleted")]
)
async def test_a_lost_pause_or_deletion_is_sent_and_stops_the_ticks(
    ada: Person, act: Any, kind: str
) -> None:
    session = await ada.has_running()
    async with device(ada.account) as laptop:
        with messages_lost():
            await ada.does(act, session.id)
        sent = await laptop.heard_type(kind, session=session.id)
        assert (sent["state"] is None) == (kind == "session.deleted")
        assert Node.here().hub.ticker._sessions == {}


async def test_a_device_that_missed_too_much_is_reset(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert changes.MAX_CHANGES == 200
    monkeypatch.setattr(changes, "MAX_CHANGES", 3)
    before = stats.rooms_reset
    async with device(ada.account) as laptop:
        await no_round_unless_called(monkeypatch)
        with messages_lost():
            for _ in range(4):
                session = await ada.has_session()
            await ada.does(services.start, session.id)
        Node.here().reconciler.messages_lost.set()
        ready = await laptop.heard_type("ready")
        await laptop.heard_type("session.tick", session=session.id)
    assert (ready["reset"], ready["changes"], ready["revision"]) == (True, [], 5)
    assert stats.rooms_reset == before + 1
    assert ready["active"]["id"] == session.id


async def test_a_lost_revocation_closes_the_sockets_of_its_login_only(
    ada: Person, eve: Person
) -> None:
    before = stats.logins_healed
    phone: Login = await in_database(logins.log_in, ada.login.user, device="Phone")
    async with (
        device(eve.account) as other,
        device(ada.account) as laptop,
        raw(ada.account.base) as socket,
    ):
        await socket.authenticate(pair_of(phone).access)
        with messages_lost():
            await in_database(logins.log_out, phone.pk)
        assert (await socket.ending()).reason == "revoked"
        await rounds(3)
        for bystander in (other, laptop):
            await bystander.measure_clock(1)
    assert stats.logins_healed == before + 1


async def test_a_group_that_could_not_be_joined_is_joined_later(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: Subscription, act: Any, names: list[str]) -> list[bool]:
        return [False] * len(names)

    with monkeypatch.context() as patched:
        patched.setattr(Subscription, "_change", away)
        async with device(ada.account) as laptop:
            assert not room_of(ada).joined
            await ada.has_session()  # which the database tells of
            await laptop.heard_type("session.state", revision=1)
            patched.undo()
            await until(lambda: room_of(ada).joined)


async def test_while_redis_hangs_one_room_is_joined_at_a_time_and_all_are_healed(
    ada: Person, eve: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    async def hangs(self: Subscription, act: Any, names: list[str]) -> list[bool]:
        if act is channel_layer.join:
            tried.extend(names)
        return [False] * len(names)

    monkeypatch.setattr(Subscription, "_change", hangs)
    async with device(ada.account) as laptop, device(eve.account):
        tried.clear()
        before = stats.joins_retried
        await until(lambda: len(tried) >= 3)
        assert set(tried) == {channel_layer.of_user(ada.id)}
        assert stats.joins_retried - before in {len(tried), len(tried) - 1}
        with messages_lost():
            await ada.has_session()
        await laptop.heard_type("session.state", revision=1)


async def test_without_the_database_rounds_go_on_and_the_log_has_one_line(
    ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    async with device(ada.account) as laptop:
        with database_down():
            await until(lambda: "cannot reconcile" in caplog.text)
            await laptop.measure_clock(1)
        with messages_lost():
            await ada.has_session()
        await laptop.heard_type("session.state")
    assert caplog.text.count("cannot reconcile") == 1
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_failed_round_is_followed_by_the_next(
    ada: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    async with device(ada.account) as laptop:
        with monkeypatch.context() as patched:
            patched.setattr(reconcile, "changed_since", broken)
            await until(lambda: "a round of reconciling failed" in caplog.text)
        with messages_lost():
            await ada.has_session()
        await laptop.heard_type("session.state")


# -- helpers -------------------------------------------------------------------------------------


async def rounds(count: int) -> None:
    """Waits until the hub has gone through so many."""
    enough = stats.rounds + count + 1  # one may be under way
    await until(lambda: stats.rounds >= enough)


async def no_round_unless_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on; the last of the others is over."""
    monkeypatch.setattr(reconcile, "ROUND_INTERVAL_S", 3600)
    Node.here().reconciler.messages_lost.set()
    await rounds(1)  # the one that was called, and the one soon after it
    await until(lambda: not Node.here().reconciler.messages_lost.is_set())
