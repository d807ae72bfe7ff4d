"""After the database was away: new connections at once.

psycopg's pool looks at a connection before it gives it away, but meets the broken ones one by one
and waits longer after each (1 s, 2 s): after a restart of PostgreSQL a process with twenty of them
was without a database for 13 s more. With its setting `reconnect_timeout` at 1 s and this: 0 s.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import Error, InterfaceError, OperationalError, connection

AT_MOST_EVERY_S = 1.0  # each thread that had a connection says so

SOME = 2  # one that is lost may be a backend that froze; the others are good

_renewed = 0.0  # on the monotonic clock
_lost_before = 0  # connections that the pool had found broken by then
# Those that Django has another class for: a connection that is gone, too little of something (room,
# memory, connections), being stopped or started, a transaction that took too long, and a server one
# that is for reading only: it was the primary a moment ago.
_ITS_FAULT = ("08", "53", "57P", "25P03", "25P04", "25006")


def is_away(error: Error) -> bool:
    """Whether the database, not what it was asked, is to blame: the same may succeed later."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    return _sqlstate(error).startswith(_ITS_FAULT)


def renew_connections(after: Error) -> None:
    """Has the pool replace all its connections, if `after` may mean that they are broken."""
    global _renewed
    pool = getattr(connection, "pool", None)  # psycopg2 has none
    if pool is None or time.monotonic() - _renewed < AT_MOST_EVERY_S:
        return
    if not (_met_broken_ones(pool) if _is_pool_timeout(after) else _lost(after)):
        return
    _renewed = time.monotonic()
    pool.drain()


def pool_stats() -> dict[str, int] | None:
    """What the pool of this process counts; None before it has one, and with psycopg2."""
    pools: dict[str, Any] = getattr(connection, "_connection_pools", {})
    pool = pools.get(connection.alias)
    return pool.get_stats() if pool else None


def _is_pool_timeout(error: Error) -> bool:
    return type(error.__cause__).__name__ == "PoolTimeout"


def _met_broken_ones(pool: Any) -> bool:
    """Whether nobody got a connection because the pool tried broken ones, one by one. One that is
    merely exhausted must not connect anew: that is the last thing that it needs.
    """
    global _lost_before
    lost = pool.get_stats().get("connections_lost", 0)
    since, _lost_before = lost - _lost_before, lost
    return bool(since >= SOME)


def _lost(error: Error) -> bool:
    """Not what a server says that goes on: a lock or a statement that took too long."""
    state = _sqlstate(error)
    return not state or state.startswith(("08", "57P", "25006"))


def _sqlstate(error: Error) -> str:
    """PostgreSQL's code of the error, where it was PostgreSQL that said something."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
