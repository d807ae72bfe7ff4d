"""Connections to PostgreSQL that wait no longer than the deadline of their thread.

A frozen server (stopped, a hung disk, lost packets) answers nothing:
its own time-outs do not run, and the connection stays open. So the thread that waits bounds its
wait itself. A connection that was given up is closed, since its answer may still come. Its
transaction is undone or committed, as with any lost answer.
"""

from __future__ import annotations

from math import inf
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Any

from runtime.deadline import at_least, left, longest_wait, within

# For the empty query that checks a connection of the pool. Shorter than the wait for the pool, so
# that another connection is tried.
CHECK_S = 1.0
CONNECT_S = 5.0
ROLLBACK_S = 0.5  # where no time is left: without it the connection would be closed each time
SILENT = "the database did not answer in time"
NO_TIME = "no time was left to ask the database"


def bounded_connection(usual_s: float) -> type[Any]:
    """The class of connections, for psycopg 3. No answer takes longer than `usual_s` seconds."""
    import psycopg
    from psycopg.errors import _WaitTimeout

    class Connection(psycopg.Connection[Any]):
        """Each statement waits in `wait`."""

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            longest = longest_wait(usual_s)
            if longest == inf:
                return super().wait(gen, interval, timeout)
            if longest == 0:
                raise psycopg.errors.QueryCanceled(NO_TIME)  # nothing was sent
            try:
                return super().wait(gen, interval, min(longest, timeout or longest))
            except _WaitTimeout:
                self.pgconn.finish()
                raise psycopg.errors.QueryCanceled(SILENT) from None

        def rollback(self) -> None:
            with at_least(ROLLBACK_S):
                super().rollback()

        def set_autocommit(self, value: bool) -> None:
            # Sends nothing to the server. Without it Django would keep a connection that it
            # believes to be inside a transaction.
            with at_least(ROLLBACK_S):
                super().set_autocommit(value)

        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            if query != "":
                return super().execute(query, *args, **kwargs)
            if left() == 0:  # the pool would try other connections until it gives up
                return None
            with within(CHECK_S):  # `ConnectionPool.check_connection`
                return super().execute(query, *args, **kwargs)

    return Connection


def bound_psycopg2(usual_s: float) -> None:
    """The same for psycopg2, which waits in one function, also while it connects."""
    import psycopg2  # type: ignore[import-untyped]
    from psycopg2 import extensions

    waits_for = {extensions.POLL_READ: POLLIN, extensions.POLL_WRITE: POLLOUT}

    def wait(connection: Any) -> None:
        # With a wait of our own, libpq's time-out for connecting does not apply.
        connecting = connection.status == extensions.STATUS_SETUP
        longest = min(longest_wait(usual_s), CONNECT_S if connecting else inf)
        if longest == 0:  # the query has been sent: psycopg2 closes the connection
            raise psycopg2.OperationalError(NO_TIME)
        until = monotonic() + longest
        while (state := connection.poll()) != extensions.POLL_OK:
            ready = poll()  # select() knows 1,024 files; a server has more
            ready.register(connection.fileno(), waits_for[state])
            rest = until - monotonic()
            if not ready.poll(None if rest == inf else max(0.0, rest) * 1000):
                raise psycopg2.OperationalError(SILENT)

    extensions.set_wait_callback(wait)
