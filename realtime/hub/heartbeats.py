"""Says something where nothing else was said for a while, so that silence means trouble.

One task looks at all sockets, some at a time. A timer for each cost more than what it was for: a
socket that gets ticks never needs a heartbeat, and there are thousands of those.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from realtime.hub.hub import Hub

log = logging.getLogger(__name__)

LOOKS = 4  # at each socket, in the time after which it must have heard something
STEPS = 20  # of each look, so that the loop breathes


async def keep_beating(hub: Hub) -> None:
    """For ever. `HEARTBEAT_S` is the longest silence that a client sees."""
    loop = asyncio.get_running_loop()
    while True:
        rooms = list(hub.rooms.values())
        size = len(rooms) // STEPS + 1
        for start in range(0, size * STEPS, size):
            since = loop.time() - settings.HEARTBEAT_S * (1 - 1 / LOOKS)
            for room in rooms[start : start + size]:
                for socket in tuple(room.sockets):
                    if socket.outbox.last_put <= since:
                        try:
                            socket.beat()
                        except Exception:
                            log.exception("a heart could not beat")
            await asyncio.sleep(settings.HEARTBEAT_S / LOOKS / STEPS)
