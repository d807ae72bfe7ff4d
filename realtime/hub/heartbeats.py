"""Sends a heartbeat to sockets that were sent nothing for a while: silence then means trouble.

One task checks all sockets, some at a time. A timer for each cost more than what it was for: a
socket that gets ticks never needs a heartbeat, and there are thousands of those.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from django.conf import settings

from realtime.hub.rooms import Room

log = logging.getLogger(__name__)

CHECKS = 4  # of each socket, in the longest time that it may be silent
STEPS = 20  # of each check, so that the loop can do something else in between


async def keep_sending_heartbeats(rooms: Mapping[int, Room]) -> None:
    """For ever. `HEARTBEAT_S` is the longest silence that a client sees."""
    loop = asyncio.get_running_loop()
    while True:
        now_here = list(rooms.values())
        size = len(now_here) // STEPS + 1
        for start in range(0, size * STEPS, size):
            since = loop.time() - settings.HEARTBEAT_S * (1 - 1 / CHECKS)
            for room in now_here[start : start + size]:
                for socket in tuple(room.sockets):
                    if socket.outbox.last_put <= since:
                        try:
                            socket.send_heartbeat()
                        except Exception:
                            log.exception("a heartbeat could not be sent")
            await asyncio.sleep(settings.HEARTBEAT_S / CHECKS / STEPS)
