"""Returns memory to the system after many sockets have closed.

What C code has freed (a fifth of a socket is the event loop's) glibc keeps for later, unless it is
asked. The rest is Python's, which returns what is free as a whole.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

from realtime.stats import stats

CHECK_INTERVAL_S = 5.0
WORTH_IT = 100  # closed sockets; it takes a millisecond, more where there is much


async def keep_trimming() -> None:
    """For ever."""
    trim = _trim()
    before = stats.sockets_gone
    while True:
        await asyncio.sleep(CHECK_INTERVAL_S)
        if stats.sockets_gone - before >= WORTH_IT:
            before = stats.sockets_gone
            trim()


def _trim() -> Callable[[], object]:
    """The function that returns memory. It does nothing where the C library is not glibc."""
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return lambda: None
    return lambda: malloc_trim(0)
