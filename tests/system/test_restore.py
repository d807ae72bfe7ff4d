"""A backup made by pg_dump is restored by pg_restore, while a device is connected."""

from __future__ import annotations

import asyncio
import subprocess
import sysconfig
from io import StringIO
from pathlib import Path

import httpx
from django.core.management import call_command

from accounts.auth.tokens import pair_of
from accounts.services import logins
from benchmarks.device import Account, device
from local.servers import Programs
from realtime.database import in_database
from tests.support.devices import PATIENCE_S, Person, person
from tests.support.servers import Server, environment

HEALED_S = 6.0  # as docs/operations.md says


async def run(program: str, *arguments: str | Path) -> None:
    folder = Programs.below(Path(sysconfig.get_path("purelib"))).postgres
    command = [folder / program, "--dbname", environment()["DATABASE_URL"], *arguments]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def backed_up(to: Path) -> None:
    await run("pg_dump", "--format=custom", "--file", to)


async def restored(backup: Path) -> None:
    """As docs/operations.md says, but that nothing was stopped."""
    await run("pg_restore", "--clean", "--if-exists", "--single-transaction", backup)


async def test_a_connected_device_shows_the_restored_state_and_then_logs_in_again(
    one: Server, tmp_path: Path
) -> None:
    ada = await person(one.base, "ada")
    session = await ada.has_running()
    backup = tmp_path / "space.dump"
    await backed_up(backup)
    async with device(ada.account) as laptop:
        before = laptop.ready["epoch"]
        await laptop.command("pause", session.id)
        await laptop.command("extend", session.id, seconds=60)
        lost = await ada.has_session("Written after the backup")
        await laptop.heard_type("session.state", revision=5)

        await restored(backup)
        ready = await laptop.heard(
            lambda f: f["type"] == "ready" and f["epoch"] != before, patience_s=HEALED_S
        )
        assert ready["reset"] is True
        assert [s["id"] for s in await sessions_of(ada.account)] == [session.id]
        (fresh,) = await sessions_of(ada.account)
        assert ready["active"]["timer"]["status"] == fresh["timer"]["status"] == "running"
        assert ready["active"]["timer"]["version"] == fresh["timer"]["version"] == 2
        assert ready["active"]["timer"]["ends_at"] == fresh["timer"]["ends_at"]

        said = StringIO()
        await in_database(call_command, "after_restore", stdout=said)
        assert "1 logins ended" in said.getvalue()
        closing = await laptop.heard_type("closing", patience_s=10 + HEALED_S)
        assert (closing["code"], closing["reason"]) == (4401, "revoked")

    login = await in_database(logins.log_in, ada.login.user)
    again = Account(one.base, pair_of(login).access, "", ada.account.user)
    async with device(again, epoch=before, since=5) as laptop:
        assert (laptop.ready["reset"], laptop.ready["revision"]) == (True, 2)
    made = await Person(again, login).has_session()
    assert made.id > lost.id, "an id that was given is not given again"


async def sessions_of(account: Account) -> list[dict[str, dict[str, object]]]:
    headers = {"Authorization": f"Bearer {account.access}"}
    async with httpx.AsyncClient(base_url=account.base, headers=headers) as http:
        answer = await http.get("/sessions/", timeout=PATIENCE_S)
    answer.raise_for_status()
    found = answer.json()
    return list(found if isinstance(found, list) else found["results"])
