"""Each peer of the benchmark does what is measured: a tick a second, at the right moment."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.bench import plan
from benchmarks.peers import PEERS, Peer
from benchmarks.peers.ticks import LENGTH
from local.problem import Problem
from tests.support.servers import reserved_port

BUILD_DIR = Path(__file__).resolve().parents[3] / ".space" / "bench"
LATEST_MS = 10_000  # on a machine that is busy with other tests
KEYS = ["type", "session", "version", "remaining_ms", "server_time"]


@functools.cache
def why_not(prepare: Callable[[Path], None]) -> str:
    """Empty where this has prepared a peer. The peers on Node share what npm installs."""
    try:
        prepare(BUILD_DIR)
    except Problem as reason:
        return f"{reason}"
    return ""


def must_run(peer: Peer) -> None:
    """Skips the test where the peer cannot run; in CI that is a failure."""
    if reason := why_not(peer.prepare):
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


class NotSpace(ClientConnection):
    """A socket with another protocol: its frames are not those of our documents."""

    recv = ClientConnection.recv.__wrapped__  # type: ignore[attr-defined]  # see tests/support/contract.py


@contextmanager
def running(peer: Peer) -> Iterator[str]:
    """The address of the peer, as a process."""
    must_run(peer)
    with reserved_port() as port:
        command = peer.command(port, BUILD_DIR, os.environ["REDIS_URL"])
        process = subprocess.Popen(
            command, env=os.environ | peer.env, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield f"ws://127.0.0.1:{port}"
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            process.wait(10)
        finally:
            process.kill()
            process.communicate()


async def watching(peer: Peer, base: str, session: int) -> ClientConnection:
    """A socket of the session, as the load client opens it."""
    if peer.protocol == "plain":
        return await connect(f"{base}/?session={session}", compression=None)
    path = f"/socket.io/?EIO=4&transport=websocket&session={session}"
    socket = await connect(base + path, compression=None, create_connection=NotSpace)
    assert str(await socket.recv()).startswith("0{")
    await socket.send("40")
    assert str(await socket.recv()).startswith("40{")
    return socket


async def tick(peer: Peer, socket: ClientConnection) -> tuple[str, dict[str, Any]]:
    """The next one, as text and decoded."""
    text = str(await socket.recv())
    if peer.protocol == "plain":
        return text, json.loads(text)
    assert text.startswith('42["session.tick",')
    name, said = json.loads(text[2:])
    assert name == "session.tick"
    return text, said


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
async def test_all_devices_of_a_session_get_each_of_its_seconds(peer: Peer) -> None:
    with running(peer) as base:
        session = 12
        one = await watching(peer, base, session)
        other = await watching(peer, base, session)
        outsider = await watching(peer, base, 13)
        _, first = await tick(peer, other)
        text, said = await tick(peer, one)
        while said["server_time"] <= first["server_time"]:  # both receive the ones after it
            text, said = await tick(peer, one)
        arrived_ms = time.time() * 1000

        assert list(said) == KEYS
        assert (said["type"], said["session"], said["version"]) == ("session.tick", session, 2)
        due_ms = round(datetime.fromisoformat(said["server_time"]).timestamp() * 1000)
        assert due_ms % 1000 == session * 7919 % 1000
        assert -5 < arrived_ms - due_ms < LATEST_MS
        assert said["server_time"].endswith(f"{due_ms % 1000}000Z")
        assert said["remaining_ms"] % 1000 == 0

        texts = [(await tick(peer, other))[0]]
        while texts[-1] != text:
            texts.append((await tick(peer, other))[0])
            assert len(texts) < 20, "the other device never got the same text"
        _, later = await tick(peer, one)
        # A countdown that is at its end begins again; a peer that is late may leave out a second.
        passed_ms = (said["remaining_ms"] - later["remaining_ms"]) % LENGTH
        assert passed_ms % 1000 == 0
        assert 0 < passed_ms < LATEST_MS
        assert (await tick(peer, outsider))[1]["session"] == 13
        for socket in (one, other, outsider):
            await socket.close()


def test_the_goals_name_peers_of_the_table() -> None:
    named = {plan.GROUP_SEND, plan.GROUP_SEND_CORE, plan.NODE, plan.RAW, plan.SOCKET_IO}
    assert named <= {peer.name for peer in PEERS}


def test_the_packages_of_npm_are_pinned_and_name_no_registry() -> None:
    folder = Path(__file__).resolve().parents[3] / "benchmarks" / "peers" / "node"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert not [name for name, package in locked.items() if "resolved" in package]
