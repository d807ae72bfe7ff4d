"""Connections to PostgreSQL that wait no longer than the deadline of their thread.

A server that is frozen (stopped, its disk hanging, behind a network that drops packets) answers
nothing: its own time-outs do not run, and the connection stands. The wait itself is bounded here,
in the thread that waits, so nothing needs to be cut from outside. A connection that was given up
is closed, since its answer may still come; what it did is undone or done, as with any lost answer.
"""

from __future__ import annotations

from math import inf
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Any

from runtime.deadline import at_least, left, longest_wait, within

# For an empty query, before a connection of the pool is used. Less than the wait for the pool, so
# that another one is tried.
CHECK_S = 1.0
CONNECT_S = 5.0
ROLLBACK_S = 0.5  # where no time is left: else the connection would be thrown away each time
SILENT = "the database did not answer in time"
NO_TIME = "no time was left to ask the database"


def bounded_connection(usual_s: float) -> type[Any]:
    """The class of connections, for psycopg 3. No answer takes longer than `usual_s` seconds."""
    import psycopg
    from psycopg.errors import _WaitTimeout

    class Connection(psycopg.Connection[Any]):
        """Every statement waits in `wait`."""

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            longest = longest_wait(usual_s)
            if longest == inf:
                return super().wait(gen, interval, timeout)
            if longest == 0:
                raise psycopg.errors.QueryCanceled(NO_TIME)  # nothing was sent: it is as it was
            try:
                return super().wait(gen, interval, min(longest, timeout or longest))
            except _WaitTimeout:
                self.pgconn.finish()
                raise psycopg.errors.QueryCanceled(SILENT) from None

        def rollback(self) -> None:
            with at_least(ROLLBACK_S):
                super().rollback()

        def set_autocommit(self, value: bool) -> None:
            # Asks the server nothing. Without it Django would keep a connection that it takes for
            # one inside a transaction.
            with at_least(ROLLBACK_S):
                super().set_autocommit(value)

        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            if query != "":
                return super().execute(query, *args, **kwargs)
            if left() == 0:  # the pool would look for a better one until it gives up
                return None
            with within(CHECK_S):  # `ConnectionPool.check_connection`
                return super().execute(query, *args, **kwargs)

    return Connection


def bound_psycopg2(usual_s: float) -> None:
    """The same for psycopg2, whose waits go through one function, connecting too."""
    import psycopg2  # type: ignore[import-untyped]
    from psycopg2 import extensions

    waits_for = {extensions.POLL_READ: POLLIN, extensions.POLL_WRITE: POLLOUT}

    def wait(connection: Any) -> None:
        # While it waits for itself libpq's own time-out of connecting does not count.
        connecting = connection.status == extensions.STATUS_SETUP
        longest = min(longest_wait(usual_s), CONNECT_S if connecting else inf)
        if longest == 0:  # it has been sent: psycopg2 closes the connection
            raise psycopg2.OperationalError(NO_TIME)
        until = monotonic() + longest
        while (state := connection.poll()) != extensions.POLL_OK:
            ready = poll()  # not select: a server has more than 1,024 files open
            ready.register(connection.fileno(), waits_for[state])
            rest = until - monotonic()
            if not ready.poll(None if rest == inf else max(0.0, rest) * 1000):
                raise psycopg2.OperationalError(SILENT)

    extensions.set_wait_callback(wait)
