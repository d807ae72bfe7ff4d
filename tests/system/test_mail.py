"""Mails of a whole server: what was promised is sent before it goes, and a dead mail server holds
nobody up.
"""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.support.servers import Server, servers

PASSWORD = "a long walk at dusk"


async def signed_up(server: Server, name: str) -> None:
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    async with httpx.AsyncClient(base_url=server.base, timeout=20) as http:
        assert (await http.post("/users/signup/", json=body)).status_code == 201


async def asked(server: Server, times: int) -> float:
    """How many seconds the slowest answer took."""
    longest = 0.0
    async with httpx.AsyncClient(base_url=server.base, timeout=20) as http:
        for _ in range(times):
            began = time.monotonic()
            body = {"email": "grace@example.org"}
            assert (await http.post("/users/password/reset/", json=body)).status_code == 202
            longest = max(longest, time.monotonic() - began)
    return longest


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_queued_mail_is_sent_before_the_server_exits(
    kind: str, tmp_path: Path, transactional_db: None
) -> None:
    letters = tmp_path / "letters"
    with servers(tmp_path, kind, EMAIL_URL=f"filemail:///{letters}") as (server,):
        await signed_up(server, "grace")
        await asked(server, 5)
        server.terminate()
        await asyncio.to_thread(server.seconds_to_exit)
    sent = "".join(file.read_text() for file in letters.glob("*.log"))
    assert sent.count("Subject: Your new password for Space") == 5


async def test_a_mail_server_that_says_nothing_holds_nobody_up(
    tmp_path: Path, transactional_db: None
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)  # the kernel accepts, and nobody ever greets
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        with servers(tmp_path, "uvicorn", EMAIL_URL=url) as (server,):
            await signed_up(server, "grace")
            assert await asked(server, 5) < 5
            server.terminate()
            assert await asyncio.to_thread(server.seconds_to_exit) < 6
