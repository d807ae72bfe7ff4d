"""Promise 3 where the disk of PostgreSQL's log fills up: it panics, and lives when there is room.

The cluster is one of its own: `pg_wal` is a disk of some megabytes, which only root may mount.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from local.identity import place_for
from local.postgres import give_to_nobody, make_cluster
from local.servers import Programs
from tests.faults.measured import Measured
from tests.faults.scene import ends_after, scene, serving
from tests.faults.stack import Ground, Stack, comes_again, ground, stack

ROOM_MB = 64  # the migrated database is copied through the log once
FULL_S = 6.0
SETTINGS = """
max_wal_size = 24MB
min_wal_size = 8MB
wal_recycle = off  # else a segment that is of no use any more is as good as free room
"""


@contextmanager
def small_disk(at: Path) -> Iterator[None]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_MB}m,mode=0700", "tmpfs", str(at)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


@contextmanager
def ground_with_small_log(folder: Path) -> Iterator[tuple[Ground, Path]]:
    """Stores of our own, and the folder that is a disk."""
    place = place_for(Programs.below(Path(sysconfig.get_path("purelib"))).postgres, folder)
    cluster = place.home / "postgres"
    make_cluster(place.programs, cluster, place.identity)
    wal, before = cluster / "data" / "pg_wal", cluster / "data" / "pg_wal.before"
    with (cluster / "data" / "postgresql.conf").open("a") as file:
        file.write(SETTINGS)
    wal.rename(before)
    wal.mkdir(mode=0o700)
    with small_disk(wal):
        shutil.copytree(before, wal, dirs_exist_ok=True)
        if place.identity == "nobody":
            give_to_nobody(wal)
        with ground(folder) as made:
            yield made, wal


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left. Its room comes back at the end."""
    filler = disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (65_536, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"0" * size)
        yield
    finally:
        filler.unlink()


def use_up(space: Stack) -> int:
    """Until PostgreSQL needs more room for its log. Gives how often it began another segment."""
    for switches in range(100):
        try:
            space.sql("SELECT pg_logical_emit_message(false, 'test', 'something'), pg_switch_wal()")
        except psycopg.Error:
            return switches
    raise AssertionError("there is room")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.fault("the disk of PostgreSQL's log is full", "1, 2, 3, 4")
async def test_the_disk_is_full(measured: Measured, tmp_path: Path) -> None:
    own, above = tmp_path / "own", tmp_path / "stack"
    own.mkdir()
    above.mkdir()
    with ground_with_small_log(own) as (small, disk), stack(small, above) as space:
        servers = serving(space, {}, {})
        async with scene(space, *servers, ends_in=(3, 20)) as it:
            async with it.acting():
                with full(disk):
                    gone_at = time.time()
                    await asyncio.to_thread(use_up, space)
                    await asyncio.sleep(FULL_S)
                    log = small.postgres.log.read_text()
                    assert "No space left on device" in log, log[-2_000:]
                    shown = it.ends_shown_between(gone_at + 0.5, time.time())
                if not small.postgres.is_alive():
                    await comes_again(small.postgres)
            measured("ends shown while nobody could store them", shown, promised=0)
            await it.heals(measured)
            it.knocked(measured)
            await ends_after(it, measured, since=gone_at)
            await it.people.check(excused=["ended_late", "not_ended", "unanswered"])
        measured.audited(space.audit(), len(space.lateness_ms()))
