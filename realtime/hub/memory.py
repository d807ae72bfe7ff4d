"""Gives memory back to the system after a crowd has gone.

What C code has freed (a fifth of a socket is the event loop's) glibc keeps for later, unless it is
asked. The rest is Python's, which gives back what is free as a whole.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime.hub.hub import Hub

EVERY_S = 5.0
WORTH_IT = 100  # sockets that have gone; it takes a millisecond, more where there is much


async def keep_tidy(hub: Hub) -> None:
    """For ever."""
    trim = _trim()
    before = hub.gone
    while True:
        await asyncio.sleep(EVERY_S)
        if hub.gone - before >= WORTH_IT:
            before = hub.gone
            trim()


def _trim() -> Callable[[], object]:
    """What gives back; nothing where the C library is another."""
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return lambda: None
    return lambda: malloc_trim(0)
