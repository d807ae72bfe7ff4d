"""REST requests at a steady rate, while servers start and stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from benchmarks.load_generator.lag import now_ms

EVERY_S = 0.05
AT_EACH = 2  # at a time, on connections that are kept


class Poller:
    """Counts answers by status. `latest_s`: how long the slowest answer took.

    `refused`: the connection was refused, so a load balancer asks another server. `cut`: it was
    accepted, and the answer did not come or not whole.
    """

    def __init__(self, token: str) -> None:
        self.statuses: Counter[int] = Counter()
        self.cut: list[str] = []
        self.refused = 0
        self.latest_s = 0.0
        self.is_over = False
        self._headers = {"Authorization": f"Bearer {token}"}

    @property
    def errors(self) -> int:
        """Answers of 5xx."""
        return sum(count for status, count in self.statuses.items() if status >= 500)

    async def ask(self, base: str) -> None:
        """Until `is_over`."""
        async with httpx.AsyncClient(base_url=base, headers=self._headers, timeout=30) as http:
            while not self.is_over:
                asked = now_ms()
                try:
                    answer = await http.get("/sessions/")
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    self.refused += 1
                except httpx.TransportError as error:
                    self.cut.append(repr(error))
                else:
                    self.statuses[answer.status_code] += 1
                    self.latest_s = max(self.latest_s, (now_ms() - asked) / 1000)
                await asyncio.sleep(EVERY_S)


@asynccontextmanager
async def polling(bases: Sequence[str], token: str) -> AsyncIterator[Poller]:
    """Requests to all of these servers until the end; those under way then are waited for."""
    made = Poller(token)
    tasks = [asyncio.create_task(made.ask(base)) for base in bases for _ in range(AT_EACH)]
    try:
        yield made
    finally:
        made.is_over = True
        await asyncio.gather(*tasks)
