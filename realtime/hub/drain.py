"""Going down without losing anybody: readiness says no, then the sockets are told, spread out.

Also those that have not said who they are, or are just saying it. A command that is being worked on
is answered first, if that takes no longer than a second.
"""

from __future__ import annotations

import asyncio
import logging
import random

from realtime.hub.draining import begin_draining
from realtime.hub.hub import Hub
from realtime.stats import stats

log = logging.getLogger(__name__)

SPREAD_S = 1.0  # so that not all clients come back at once
PATIENCE_S = 2.0  # for the sockets to be gone
GONE_WITHIN_S = 4.8  # the process, from SIGTERM: then what still hangs is cut
WRITTEN_WITHIN_S = 0.1  # what was said last must reach the kernel


async def drain() -> None:
    """Closes every socket of this process with 4503, and waits until they are gone."""
    begin_draining()
    counted = ", ".join(f"{name} {count}" for name, count in stats.as_dict().items() if count)
    log.info("going down; counted since the start: %s", counted or "nothing")
    hub = Hub.if_any()
    if hub is None:
        return
    loop = asyncio.get_running_loop()
    for socket in tuple(hub.present):
        loop.call_later(random.uniform(0, SPREAD_S), socket.restarting)  # noqa: S311
    deadline = loop.time() + PATIENCE_S
    while hub.present and loop.time() < deadline:  # noqa: ASYNC110 -- they go in many ways
        await asyncio.sleep(0.05)
    if left := tuple(hub.present):  # told by now, unless this process is too busy to keep time
        for socket in left:
            socket.restarting()
        await asyncio.sleep(WRITTEN_WITHIN_S)
