"""Requests of a polite client: it waits where an answer asks for it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from benchmarks.load_generator.lag import now_ms
from benchmarks.load_generator.rules import Findings
from benchmarks.load_generator.tally import Tally

LONGEST_WAIT_S = 70
TIMES = 5
# What a change of another device, a deletion, a limit or a part that is down may cause.
MAY_BE = {401, 404, 409, 412, 422, 429, 503}


class Rest:
    """One client for all users of a run. `say` prints a line."""

    def __init__(
        self, base: str, findings: Findings, tally: Tally, say: Any, http: Any = None
    ) -> None:
        self.base = base
        self._findings, self._tally, self._say = findings, tally, say
        self._told_to_wait_until = 0.0
        self._http = http or httpx.AsyncClient(
            base_url=base,
            timeout=30,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=32),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(
        self, method: str, path: str, token: str = "", key: str = "", **body: Any
    ) -> httpx.Response:
        """The answer, whatever it says; 429 and 503 are waited out. Raises `httpx.HTTPError`."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if key:
            headers["Idempotency-Key"] = key
        for attempt in range(TIMES):
            asked = now_ms()
            answer = await self._http.request(
                method, path, json=body if body else None, headers=headers
            )
            self._tally.took["a request"].add(now_ms() - asked)
            self._tally.count[f"requests answered {answer.status_code}"] += 1
            if answer.status_code not in {429, 503} or attempt == TIMES - 1:
                break
            await self._wait(answer, path)
        if answer.status_code >= 400 and answer.status_code not in MAY_BE:
            self._findings.found(
                "rest_not_allowed",
                f"{method} {path} {body} was answered {answer.status_code} {answer.text[:200]}",
            )
        return answer

    async def _wait(self, answer: httpx.Response, path: str) -> None:
        seconds = min(LONGEST_WAIT_S, int(answer.headers.get("Retry-After", "1")))
        self._tally.count["requests that had to wait"] += 1
        if now_ms() > self._told_to_wait_until:
            self._told_to_wait_until = now_ms() + seconds * 1000
            self._say(f"{path} is answered {answer.status_code}: waiting {seconds} s, as it says.")
        await asyncio.sleep(seconds)
