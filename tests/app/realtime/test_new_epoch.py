"""The database was restored while devices are connected: each of them is reset."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction

from accounts.models import User
from benchmarks.device import Device, Frame, device
from realtime.database import in_database
from realtime.hub import reconcile
from realtime.stats import stats
from sessions_app import services
from sessions_app.epoch import begin_new_epoch, current_epoch
from sessions_app.models import Session, SessionEvent
from tests.support.devices import Person, messages_lost, room_of, until


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "ROUND_INTERVAL_S", 0.05)


def backed_up(user_id: int) -> Callable[[], None]:
    """Gives what puts the user, their sessions and their log back to what they are now."""
    revision = User.objects.get(pk=user_id).revision
    sessions = list(Session.objects.filter(user=user_id))

    @transaction.atomic
    def restore() -> None:
        User.objects.filter(pk=user_id).update(revision=revision)
        SessionEvent.objects.filter(user=user_id, revision__gt=revision).delete()
        Session.objects.filter(user=user_id).exclude(pk__in=[s.pk for s in sessions]).delete()
        for session in sessions:
            session.save(force_update=True)

    return restore


async def starts_over(laptop: Device, epoch: str) -> Frame:
    """The `ready` that says so, once it comes."""
    return await laptop.heard(lambda f: f["type"] == "ready" and f["epoch"] != epoch)


async def test_a_new_epoch_resets_every_device(ada: Person, eve: Person) -> None:
    session = await ada.has_running()
    async with device(ada.account) as laptop, device(eve.account) as phone:
        before = laptop.ready["epoch"]
        epoch = await in_database(begin_new_epoch)
        for one, active in ((laptop, session.id), (phone, None)):
            ready = await starts_over(one, before)
            assert (ready["epoch"], ready["reset"]) == (epoch, True)
            assert (ready["active"] or {"id": None})["id"] == active
        await laptop.heard_type("session.tick", session=session.id)
        await until(lambda: room_of(ada).epoch == epoch)
        resets = stats.rooms_reset
        rounds = stats.rounds
        await until(lambda: stats.rounds > rounds + 3)
        assert stats.rooms_reset == resets, "once is enough"


async def test_revisions_that_went_back_begin_a_new_epoch(
    ada: Person, eve: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where a standby took over that lacks the last commits."""
    session = await ada.has_running()
    restore = await in_database(backed_up, ada.id)
    async with device(ada.account) as laptop, device(eve.account) as phone:
        before = laptop.ready["epoch"]
        await laptop.command("pause", session.id)
        await laptop.command("extend", session.id, seconds=60)
        await laptop.heard_type("session.state", cause="extended")
        await in_database(restore)

        ready = await starts_over(laptop, before)
        assert (ready["reset"], ready["revision"]) == (True, 2)
        assert ready["active"]["timer"]["status"] == "running"
        assert ready["active"]["timer"]["version"] == 2
        assert ready["epoch"] == await in_database(current_epoch)
        assert (await starts_over(phone, before))["epoch"] == ready["epoch"]
        assert room_of(ada).revision == 2
        assert any("went back" in record.message for record in caplog.records)

        # Life goes on: what has a number that was given before is news, heard or healed.
        laptop.frames.clear()
        await laptop.heard_type("session.tick", version=2)
        with messages_lost():
            await ada.does(services.pause, session.id)
        sent = await laptop.heard_type("session.state", cause="paused")
        assert (sent["revision"], sent["state"]["timer"]["version"]) == (3, 3)
