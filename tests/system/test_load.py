"""`./space load` against real servers: the product passes, and who is not there is said."""

from __future__ import annotations

import asyncio
import json
import signal
import stat
import sys
from pathlib import Path

import pytest

from benchmarks.load_generator.run import Plan, run
from local import commands
from local.checkout import Checkout
from tests.support.servers import ROOT, Server, reserved_port, timekeeper

SHORT = 0.12  # minutes
LOAD = [sys.executable, "-m", "benchmarks.load_generator"]


async def test_many_devices_of_two_servers_find_nothing_wrong(
    one: Server, other: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    users = tmp_path / "users.json"
    with timekeeper(tmp_path):
        findings = await run(Plan([one.base, other.base], 12, 3, SHORT, users))
    said = capsys.readouterr().out
    assert findings.example == {}
    assert "12 devices of 3 users with 3 sessions" in said
    assert "No violation" in said
    assert len(json.loads(users.read_text())[one.base]) == 3
    assert stat.S_IMODE(users.stat().st_mode) == 0o600


async def test_ctrl_c_prints_the_report(one: Server, tmp_path: Path) -> None:
    load = await asyncio.create_subprocess_exec(
        *LOAD,
        *("--url", one.base, "--devices", "2", "--minutes", "5"),
        *("--users-file", str(tmp_path / "users.json")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert load.stdout is not None
    while b"2 devices of" not in await load.stdout.readline():
        assert load.returncode is None
    load.send_signal(signal.SIGINT)
    said = (await load.stdout.read()).decode()
    assert "No violation" in said
    assert await load.wait() == 0


async def test_without_a_server_the_load_command_says_so(tmp_path: Path) -> None:
    with reserved_port() as port:
        load = await asyncio.create_subprocess_exec(
            *LOAD,
            *("--url", f"http://127.0.0.1:{port}"),
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await load.communicate()
    assert said.decode().startswith(f"No Space answers at http://127.0.0.1:{port}")
    assert load.returncode == 2


def test_without_a_url_the_space_of_this_checkout_must_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.load(Checkout(tmp_path), []) == 2
    assert capsys.readouterr().err.startswith("Space is not running in this checkout")
