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

    def __init__(self, bases: Sequence[str], token: str) -> None:
        self.statuses: Counter[int] = Counter()
        self.cut: list[str] = []
        self.refused = 0
        self.latest_s = 0.0
        self._over = False
        self._bases, self._headers = bases, {"Authorization": f"Bearer {token}"}

    @property
    def errors(self) -> int:
        """Answers of 5xx."""
        return sum(count for status, count in self.statuses.items() if status >= 500)

    async def run(self) -> None:
        """Until `end`."""
        async with asyncio.TaskGroup() as tasks:
            for base in self._bases:
                for _ in range(AT_EACH):
                    tasks.create_task(self._ask(base))

    def end(self) -> None:
        """Each request that is under way is waited for."""
        self._over = True

    async def _ask(self, base: str) -> None:
        async with httpx.AsyncClient(base_url=base, headers=self._headers, timeout=30) as http:
            while not self._over:
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
    """Asks until the end."""
    made = Poller(bases, token)
    asking = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.end()
        await asking
