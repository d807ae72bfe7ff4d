"""Runs database work for the event loop, on threads of the sockets' own and with a deadline.

Channels would run all of it, one at a time, on the one thread that it shares with every dispatch: a
slow query would delay every tick. A frozen database answers nothing at all, so the deadline holds
for the coroutine that waits, and for the thread, which is free again by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from django.db import Error, OperationalError, close_old_connections

from runtime import deadline
from runtime.database.pool import is_transient, recover_pool

P = ParamSpec("P")
R = TypeVar("R")

SOCKET_TIMEOUT_S = 5.0  # as long as a statement may take
# A round in which the database goes away must not last longer than the rest of the promised 6 s.
RECONCILE_TIMEOUT_S = 3.0

_for_sockets = ThreadPoolExecutor(max_workers=8, thread_name_prefix="socket")
# Its own thread: a slow query of a socket does not delay a round.
_for_reconciling = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reconcile")


async def in_database(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs `function` for a socket. Raises `OperationalError` if the database does not answer."""
    return await _run(_for_sockets, partial(function, *args, **kwargs), SOCKET_TIMEOUT_S)


async def when_reconciling(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The same for `reconcile.py`."""
    return await _run(_for_reconciling, partial(function, *args, **kwargs), RECONCILE_TIMEOUT_S)


async def _run(executor: Executor, act: Callable[[], R], timeout_s: float) -> R:
    loop = asyncio.get_running_loop()
    until = monotonic() + timeout_s  # the wait for a thread counts
    try:
        async with asyncio.timeout(timeout_s):
            # With the context, so that lines of the log name the socket.
            return await loop.run_in_executor(executor, copy_context().run, _on_thread, act, until)
    except TimeoutError:
        raise OperationalError(f"no answer within {timeout_s} s") from None


def _on_thread(act: Callable[[], Any], until: float) -> Any:
    """Returns the connection to the pool, and renews a pool with broken connections."""
    close_old_connections()
    try:
        with deadline.until(until):
            return act()
    except Error as error:
        if is_transient(error):
            recover_pool(error)
        raise
    finally:
        close_old_connections()
