"""Shuts down without losing a client: `/readyz` fails, then all sockets are closed over a second.

That includes sockets that are not authenticated yet. A running command is answered first, if that
takes no longer than a second.
"""

from __future__ import annotations

import asyncio
import logging
import random

from realtime.hub.background import Node
from realtime.hub.draining import begin_draining
from realtime.stats import stats

log = logging.getLogger(__name__)

SPREAD_S = 1.0  # so that not all clients come back at once
SOCKETS_CLOSE_WITHIN_S = 2.0
GONE_WITHIN_S = 4.8  # the process, from SIGTERM; what still hangs then is cut
WRITTEN_WITHIN_S = 0.1  # the last frames must reach the kernel


async def drain() -> None:
    """Closes every socket of this process with 4503, and waits until they are gone."""
    begin_draining()
    counted = ", ".join(f"{name} {count}" for name, count in stats.as_dict().items() if count)
    log.info("shutting down; counted since the start: %s", counted or "nothing")
    loop = asyncio.get_running_loop()
    node = Node.of(loop)
    if node is None:
        return
    sockets = node.open_sockets
    for socket in tuple(sockets):
        loop.call_later(random.uniform(0, SPREAD_S), socket.close_for_restart)  # noqa: S311
    deadline = loop.time() + SOCKETS_CLOSE_WITHIN_S
    while sockets and loop.time() < deadline:  # noqa: ASYNC110 -- they leave in many ways
        await asyncio.sleep(0.05)
    if left := tuple(sockets):  # closing by now, unless this process is too busy to keep time
        for socket in left:
            socket.close_for_restart()
        await asyncio.sleep(WRITTEN_WITHIN_S)
