"""The database from the event loop: on threads of the sockets' own, and never for long.

Channels would run all of it, one at a time, on the one thread that it shares with every dispatch: a
slow query would delay every tick. A frozen server answers nothing at all, so there is a deadline:
for who waits on the event loop, and for the thread, which is free again by then.
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

PATIENCE_S = 5.0  # as long as a statement may take
# A round that the database's being away has caught must not last longer than what is left of 6 s.
RECONCILE_PATIENCE_S = 3.0

_for_sockets = ThreadPoolExecutor(max_workers=8, thread_name_prefix="socket")
# Its own thread: nobody's slow query keeps it from its round.
_for_reconciling = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reconcile")


async def in_database(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `function` gives, for a socket. Raises `OperationalError` if the database is silent."""
    return await _run(_for_sockets, partial(function, *args, **kwargs), PATIENCE_S)


async def when_reconciling(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The same for `reconcile.py`."""
    return await _run(_for_reconciling, partial(function, *args, **kwargs), RECONCILE_PATIENCE_S)


async def _run(executor: Executor, act: Callable[[], R], patience_s: float) -> R:
    loop = asyncio.get_running_loop()
    until = monotonic() + patience_s  # the wait for a thread counts
    try:
        async with asyncio.timeout(patience_s):
            # With the context, so that what is logged there is known to be this socket's.
            return await loop.run_in_executor(executor, copy_context().run, _on_thread, act, until)
    except TimeoutError:
        raise OperationalError(f"no answer within {patience_s} s") from None


def _on_thread(act: Callable[[], Any], until: float) -> Any:
    """With a connection that is given back to the pool, and a new pool if it was broken."""
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
