"""The processes of a soak: two stores, two servers, two timekeepers. What dies is started again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from local.part import Part
from tests.faults.crowd import Crowd
from tests.faults.soak.proxies import Way, Ways
from tests.faults.stack import STORES, Ground, Stack
from tests.support.proxy import through
from tests.support.servers import Server

STARTS_AGAIN_AFTER_S = 0.5
POLL_S = 0.1


@dataclass
class Kept:
    """A process that is started again when it dies, and its ways to the two stores."""

    part: Part
    database: Way
    redis: Way
    stays_away: bool = False
    died_at: float | None = None

    @property
    def pid(self) -> int:
        assert self.part.pid is not None
        return self.part.pid


@dataclass
class World:
    stack: Stack
    ways: Ways
    servers: list[Kept] = field(default_factory=list)
    timekeepers: list[Kept] = field(default_factory=list)
    addresses: list[Server] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)  # by process and reason
    people: Crowd | None = None

    @property
    def ground(self) -> Ground:
        return self.stack.ground

    @property
    def processes(self) -> list[Kept]:
        return [*self.servers, *self.timekeepers]

    def start(self) -> None:
        """Two of each. Blocks until all are ready."""
        for _ in range(2):
            database, redis, environment = self._ways()
            server = self.stack.server(ready=True, **environment)
            self.addresses.append(server)
            self.servers.append(Kept(server.part, database, redis))
        for _ in range(2):
            database, redis, environment = self._ways()
            self.timekeepers.append(Kept(self.stack.timekeeper(**environment), database, redis))

    def _ways(self) -> tuple[Way, Way, Any]:
        """A way to each store, and the environment that goes by them."""
        addresses = {name: self.stack.environment[name] for name in STORES}
        database, redis = (self.ways.to(url) for url in addresses.values())
        by = zip(addresses.items(), (database, redis), strict=True)
        return database, redis, {name: through(way, url) for (name, url), way in by}

    async def keep(self) -> None:
        """Starts again what has died, for ever, as systemd or Kubernetes would.

        On the thread of the event loop: a process ends with the thread that has started it.
        """
        while True:
            for process in self.processes:
                self._restart_if_dead(process)
            await asyncio.sleep(POLL_S)

    def _restart_if_dead(self, process: Kept) -> None:
        if process.part.is_alive():
            return
        if process.died_at is None:
            process.died_at = time.monotonic()
            kind = "server" if process in self.servers else "timekeeper"
            self.deaths[f"{kind}: {process.part.exit_reason()}"] += 1
        elif not process.stays_away and time.monotonic() > process.died_at + STARTS_AGAIN_AFTER_S:
            process.died_at = None
            process.part.start()
