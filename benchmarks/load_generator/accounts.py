"""The users of a run. A file keeps their accounts for the next run: sign-ups are limited."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load_generator.rest import Rest
from local.problem import Problem

SIGN_INS_AT_ONCE = 4  # the server hashes two passwords at a time, and refuses a long wait


@dataclass
class Account:
    """A user that is signed in."""

    username: str
    password: str
    access: str = ""
    refresh: str = ""

    async def renew(self, rest: Rest) -> bool:
        """The next pair of tokens. False: the login has ended."""
        answer = await rest.ask("POST", "/users/token/refresh/", refresh=self.refresh)
        if answer.status_code != 200:
            return False
        self._take(answer.json())
        return True

    async def log_in(self, rest: Rest) -> bool:
        """False: there is no user of this name with this password."""
        answer = await rest.ask(
            "POST", "/users/login/", username=self.username, password=self.password, device="Load"
        )
        if answer.status_code == 401:
            return False
        self._take(_good(answer))
        return True

    async def sign_up(self, rest: Rest) -> None:
        answer = await rest.ask(
            "POST",
            "/users/signup/",
            username=self.username,
            email=f"{self.username}@example.org",
            password=self.password,
        )
        self._take(_good(answer))

    def _take(self, pair: dict[str, Any]) -> None:
        self.access, self.refresh = pair["access"], pair["refresh"]


async def signed_in(rest: Rest, users: int, file: Path, say: Any) -> list[Account]:
    """So many accounts: those of the file, and new ones. Raises `Problem`."""
    kept = _read(file)
    known = [Account(**each) for each in kept.get(rest.base, [])][:users]
    gate = asyncio.Semaphore(SIGN_INS_AT_ONCE)

    async def come_in(account: Account | None) -> Account:
        async with gate:
            if account is not None and await account.log_in(rest):
                return account
            account = Account(f"load{secrets.token_hex(6)}", secrets.token_urlsafe(16))
            await account.sign_up(rest)
            return account

    new = users - len(known)
    say(f"Signing in {len(known)} users" + (f", signing up {new} more." if new else "."))
    accounts = await asyncio.gather(*(come_in(a) for a in [*known, *[None] * new]))
    rest_of_them = kept.get(rest.base, [])[users:]
    kept[rest.base] = [
        *({"username": a.username, "password": a.password} for a in accounts),
        *rest_of_them,
    ]
    _write(file, kept)
    return accounts


def _good(answer: Any) -> dict[str, Any]:
    if answer.status_code not in {200, 201}:
        raise Problem(f"The server answered {answer.status_code}: {answer.text[:300]}")
    return dict(answer.json())


def _read(file: Path) -> dict[str, list[dict[str, str]]]:
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _write(file: Path, kept: dict[str, list[dict[str, str]]]) -> None:
    """It holds passwords: only their owner may read them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(kept, indent=1))
    unfinished.replace(file)
