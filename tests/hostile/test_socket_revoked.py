"""However a login ends, its sockets are closed on every server and its tokens are dead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db.models import F

from accounts.auth.tokens import pair_of
from accounts.models import Login
from accounts.services import logins
from benchmarks.device import Account
from realtime.database import in_database
from tests.hostile.sockets import opened, say
from tests.support.devices import PASSWORD, Person, person
from tests.support.own_valkey import OwnValkey, own_valkey
from tests.support.servers import Server, servers

WITHIN_S = 1.0
WITHIN_WHEN_DEAF_S = 30.0


class Victim:
    """Somebody with a laptop, and a phone whose login is going to end."""

    def __init__(self, laptop: Person, phone: Login) -> None:
        self.laptop, self.phone = laptop, phone
        pair = pair_of(phone)
        self.at_phone = Account(laptop.account.base, pair.access, pair.refresh, {"id": laptop.id})

    @classmethod
    async def arrives(cls, base: str, name: str) -> Victim:
        laptop = await person(base, name)
        return cls(laptop, await in_database(logins.log_in, laptop.login.user, device="Phone"))


async def _answers(asked: Awaitable[httpx.Response], *statuses: int) -> None:
    assert (await asked).status_code in statuses


async def logs_out(who: Victim) -> None:
    async with who.at_phone.http() as http:
        await _answers(http.post("/users/logout/"), 205)


async def logs_out_by_refresh_token(who: Victim) -> None:
    async with httpx.AsyncClient(base_url=who.at_phone.base) as http:
        await _answers(http.post("/users/logout/", json={"refresh": who.at_phone.refresh}), 205)


async def logs_out_everywhere_else(who: Victim) -> None:
    async with who.laptop.account.http() as http:
        await _answers(http.post("/users/logout-all/"), 200, 204, 205)


async def ends_that_device(who: Victim) -> None:
    async with who.laptop.account.http() as http:
        await _answers(http.delete(f"/users/me/logins/{who.phone.pk}/"), 200, 204)


async def ends_all_other_devices(who: Victim) -> None:
    async with who.laptop.account.http() as http:
        await _answers(http.delete("/users/me/logins/"), 200, 204)


async def changes_the_password(who: Victim) -> None:
    new = "another walk at dawn"
    await in_database(logins.change_password, who.laptop.login, old=PASSWORD, new=new)


async def resets_the_password(who: Victim) -> None:
    await in_database(logins.reset_password, who.laptop.login.user, "another walk at dawn")


async def is_deactivated(who: Victim) -> None:
    await in_database(logins.deactivate, who.laptop.login.user)


async def deletes_the_account(who: Victim) -> None:
    await in_database(logins.delete_account, who.laptop.login.user)


async def presents_an_old_refresh_token(who: Victim) -> None:
    """As a thief does, who had a copy."""
    async with httpx.AsyncClient(base_url=who.at_phone.base) as http:
        refresh = {"refresh": who.at_phone.refresh}
        await _answers(http.post("/users/token/refresh/", json=refresh), 200)
        await in_database(_long_ago, who.phone.pk)
        await _answers(http.post("/users/token/refresh/", json=refresh), 401)


def _long_ago(login_id: int) -> None:
    before = F("refreshed_at") - timedelta(minutes=1)
    Login.objects.filter(pk=login_id).update(refreshed_at=before)


Way = Callable[[Victim], Awaitable[None]]
# And whether the laptop's own login stands.
WAYS: dict[Way, bool] = {
    logs_out: True,
    logs_out_by_refresh_token: True,
    logs_out_everywhere_else: True,
    ends_that_device: True,
    ends_all_other_devices: True,
    presents_an_old_refresh_token: True,
    changes_the_password: True,
    resets_the_password: False,
    is_deactivated: False,
    deletes_the_account: False,
}


@pytest.mark.parametrize(("way", "stands"), WAYS.items(), ids=[way.__name__ for way in WAYS])
async def test_the_sockets_of_an_ended_login_close_on_every_server_within_a_second(
    one: Server, other: Server, way: Way, stands: bool
) -> None:
    who = await Victim.arrives(one.base, "ada")
    bases = (one.base, other.base)
    async with AsyncExitStack() as stack:
        phones = [
            await stack.enter_async_context(opened(base, who.at_phone.access)) for base in bases
        ]
        laptops = [
            await stack.enter_async_context(opened(base, who.laptop.account.access))
            for base in bases
        ]
        await way(who)
        async with asyncio.timeout(WITHIN_S):
            ends = await asyncio.gather(*(phone.end() for phone in phones))
        for heard in ends:
            assert heard.close == 4401
            assert [closing["reason"] for closing in heard.of("closing")] == ["revoked"]
        for laptop in laptops:
            if stands:
                await laptop.send(say(type="ping", id="still here", client_time=1))
                assert (await laptop.next("pong", "closing"))["type"] == "pong"
            else:
                assert (await laptop.end()).close == 4401
    for base in bases:
        await is_dead(base, who.at_phone.access)


async def is_dead(base: str, token: str) -> None:
    """The access token opens nothing, although it has not expired."""
    async with httpx.AsyncClient(base_url=base) as http:
        header = {"Authorization": f"Bearer {token}"}
        assert (await http.get("/sessions/", headers=header)).status_code == 401
    async with opened(base) as wire:
        await wire.send(say(type="authenticate", token=token))
        heard = await wire.end()
    assert [closing["reason"] for closing in heard.of("closing")] == ["revoked"]


# -- without Redis -------------------------------------------------------------------------------


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnValkey]:
    with own_valkey(tmp_path) as own:
        yield own


async def test_while_redis_is_away_sockets_of_ended_logins_close_within_thirty_seconds(
    redis: OwnValkey, transactional_db: None, tmp_path: Path
) -> None:
    with servers(tmp_path, "uvicorn", "uvicorn", REDIS_URL=redis.server.url) as two:
        people = {way: await Victim.arrives(two[0].base, way.__name__) for way in WAYS}
        async with AsyncExitStack() as stack:
            sockets: dict[Way, list[Any]] = {
                way: [
                    await stack.enter_async_context(opened(server.base, who.at_phone.access))
                    for server in two
                ]
                for way, who in people.items()
            }
            redis.go()
            began = asyncio.get_running_loop().time()
            await asyncio.gather(*(way(who) for way, who in people.items()))

            async def ends(way: Way, socket: Any) -> None:
                heard = await socket.end(WITHIN_WHEN_DEAF_S)
                assert heard.close == 4401, way
                assert [c["reason"] for c in heard.of("closing")] == ["revoked"], way

            await asyncio.gather(
                *(ends(way, socket) for way, its in sockets.items() for socket in its)
            )
            assert asyncio.get_running_loop().time() - began < WITHIN_WHEN_DEAF_S
        for server in two:
            assert "Traceback" not in server.log
