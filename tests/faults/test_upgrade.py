"""Old and new code on one database while it is migrated: every client goes on."""

from __future__ import annotations

import asyncio
import subprocess
import tarfile
import time
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from local.part import Part
from tests.faults.crowd import crowd
from tests.faults.measured import Measured
from tests.faults.poller import polling
from tests.faults.stack import ROOT, Stack, manage, start_again

PEOPLE = 20
QUIET = 8  # of them only watch


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else b""


def before_the_last_migration(folder: Path) -> Path:
    """The code from before the newest migration was added. Skips where git does not know it."""
    new = ["log", "-1", "--diff-filter=A", "--format=%H", "--"]
    added = git(*new, "accounts/migrations/0*.py", "sessions_app/migrations/0*.py").decode().strip()
    archive = git("archive", f"{added}^") if added else b""
    if not archive:
        pytest.skip("this checkout has no history: there is no version before to run")
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture
def old(space: Stack, tmp_path: Path) -> Path:
    """Its code; and its database instead of ours."""
    code = before_the_last_migration(tmp_path / "old")
    name = sql.Identifier(space.database)
    with psycopg.connect(space.ground.url_of("postgres"), autocommit=True) as db:
        db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        db.execute(sql.SQL("CREATE DATABASE {}").format(name))
    manage(space.environment, "migrate", "--noinput", "--verbosity", "0", code=code)
    return code


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.fault("old and new version on one database during a migration, and back", "3, 6")
async def test_a_migration_under_the_version_before_stops_nobody(
    space: Stack, measured: Measured, old: Path
) -> None:
    migrations = {"old": unapplied(space, old)}
    space.code = old
    old_server, old_keeper = await asyncio.gather(
        asyncio.to_thread(space.server), asyncio.to_thread(space.timekeeper)
    )
    space.code = ROOT
    new_server = space.server(start=False)
    migrations["new"] = unapplied(space, ROOT)
    assert migrations["new"], "the new version has no migration that the old one has not"
    async with crowd(space, old_server, new_server) as people:
        people.comes(PEOPLE, devices=2, due_in=(5, 30))
        await people.connect()
        async with people.acting(people.people[QUIET:]):
            async with polling([old_server.base], people.people[0].account.access) as poller:
                await asyncio.sleep(2)
                began = time.monotonic()
                await asyncio.to_thread(manage, space.environment, "migrate", "--noinput")
                measured("migrations", len(migrations["new"]))
                measured("they took", time.monotonic() - began, "s")
                assert unapplied(space, ROOT) == []
                await asyncio.to_thread(start_again, new_server.part)
                new_keeper = await asyncio.to_thread(space.timekeeper)
                await asyncio.sleep(5)  # side by side
            measured("answers of 5xx meanwhile", poller.errors, promised=0)
            measured("the slowest answer meanwhile", poller.latest_s, "s")
            await asyncio.to_thread(stop, old_keeper, old_server.part)
            # Of the others some have closed their laptop.
            quiet = [device for person in people.people[:QUIET] for device in person.devices]
            back_s = await people.all_here(devices=quiet)
            measured("devices back at the new version", back_s, "s", promised=10)
            await asyncio.sleep(3)
            # And back to the version before, on the database as it is now.
            await asyncio.to_thread(start_again, old_server.part)
            await asyncio.to_thread(start_again, old_keeper)
            await asyncio.to_thread(stop, new_keeper, new_server.part)
            back_s = await people.all_here(devices=quiet)
            measured("devices back at the old version", back_s, "s", promised=10)
            await asyncio.sleep(3)
        for person in people.people:
            await person.evening()
        await asyncio.to_thread(space.settle)
        measured("devices in step afterwards", await people.in_step(), "s", promised=6)
        await people.check()
    assert "Traceback" not in space.logs()


def unapplied(space: Stack, code: Path) -> list[str]:
    plan = manage(space.environment, "showmigrations", "--plan", code=code)
    return [line for line in plan.splitlines() if line.startswith("[ ]")]


def stop(*parts: Part) -> None:
    for part in parts:
        part.stop()
