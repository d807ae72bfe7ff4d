"""A user is deactivated or deleted, or a login ends: the sockets close, however it was done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from accounts.models import User
from accounts.services import logins
from benchmarks.device import device
from realtime.database import in_database
from realtime.hub import reconcile
from realtime.protocol.close_codes import Close
from tests.support.devices import Person, messages_lost, raw


def by_service(user: User) -> None:
    logins.deactivate(user)


def by_hand(user: User) -> None:
    user.is_active = False
    user.save()


def with_a_new_password(user: User) -> None:
    user.set_password("another horse battery")
    user.save()


def by_ending_the_login(user: User) -> None:
    logins.end_login(user, user.logins.get().pk)


def in_bulk(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize(
    "act", [by_service, by_hand, with_a_new_password, by_ending_the_login, User.delete]
)
async def test_the_sockets_of_an_ended_login_close_within_a_second(
    ada: Person, eve: Person, act: Callable[[User], object]
) -> None:
    async with device(eve.account) as bystander, raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        async with asyncio.timeout(1):
            await in_database(act, ada.login.user)
            ending = await socket.ending()
        await bystander.measure_clock(1)
    assert (ending.code, ending.reason) == (Close.NOT_AUTHENTICATED, "revoked")


@pytest.mark.parametrize("act", [by_service, in_bulk, logins.delete_account])
async def test_if_the_message_is_lost_sockets_end_by_a_round_of_reconcile(
    ada: Person, monkeypatch: pytest.MonkeyPatch, act: Callable[[User], object]
) -> None:
    assert reconcile.ROUND_INTERVAL_S * reconcile.LOGINS_IN_ROUNDS < 30
    monkeypatch.setattr(reconcile, "ROUND_INTERVAL_S", 0.05)
    async with raw(ada.account.base) as socket:
        await socket.authenticate(ada.account.access)
        with messages_lost():
            await in_database(act, ada.login.user)
        ending = await socket.ending()
    assert (ending.code, ending.reason) == (Close.NOT_AUTHENTICATED, "revoked")
