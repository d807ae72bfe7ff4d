"""Sessions of users without a device: written by SQL, so many a second, due seconds later."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psycopg

from tests.faults.crowd import PLANNED_MS, USERS
from tests.faults.stack import Stack, new_prefix

EVERY_S = 1.0
DUE_IN_S = (2.0, 12.0)
USERS_TO_A_SECOND = 40  # each has one session at a time, which ends late while nobody ends it

# Started 25 minutes ago less what is left, as if they had been watched until now.
_SESSIONS = """
    WITH free AS (
        SELECT u.id FROM accounts_user u WHERE u.id = ANY(%(users)s) AND NOT EXISTS (
            SELECT FROM sessions_app_session s
            WHERE s.user_id = u.id AND s.status IN ('running', 'paused'))
        ORDER BY u.revision, u.id LIMIT %(count)s FOR UPDATE SKIP LOCKED
    ), raised AS (
        UPDATE accounts_user u SET revision = u.revision + 2 FROM free WHERE u.id = free.id
        RETURNING u.id, u.revision
    ), due AS (
        SELECT id, date_trunc('milliseconds', now() + (%(first_s)s + random()
            * (%(last_s)s - %(first_s)s)) * interval '1 second')
            - %(planned)s * interval '1 millisecond' AS at FROM raised
    ), made AS (
        INSERT INTO sessions_app_session (user_id, title, duration, image, sound, created_at,
            updated_at, version, task_minutes, status, planned_ms, started_at, ends_at)
        SELECT id, 'Unwatched', 25, '', '', at, at, 2, 0, 'running', %(planned)s, at,
            at + %(planned)s * interval '1 millisecond' FROM due
        RETURNING id, user_id, started_at
    )
    INSERT INTO sessions_app_sessionevent (user_id, revision, session_id, version, kind, at,
        device, data)
    SELECT made.user_id, raised.revision - 2 + n, made.id, n,
        CASE n WHEN 1 THEN 'created' ELSE 'started' END, made.started_at, 'Laptop', '{}'
    FROM made JOIN raised ON raised.id = made.user_id, generate_series(1, 2) n
"""


class Unwatched:
    """`keep_coming()` until it is cancelled."""

    def __init__(self, stack: Stack, a_second: int) -> None:
        self._stack, self._a_second = stack, a_second
        self._users: list[int] = []
        self._db: psycopg.Connection | None = None

    async def keep_coming(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            with suppress(psycopg.Error):  # PostgreSQL is away: the next second then
                await asyncio.to_thread(self._some_more)
            await asyncio.sleep(max(0.0, began + EVERY_S - loop.time()))

    def _some_more(self) -> None:
        if self._db is None or self._db.closed:
            self._db = self._stack.db()
        if not self._users:
            given = {"prefix": new_prefix(), "count": self._a_second * USERS_TO_A_SECOND}
            self._users = [user for user, _ in self._db.execute(USERS, given)]
        first_s, last_s = DUE_IN_S
        given = {
            "users": self._users,
            "count": self._a_second,
            "planned": PLANNED_MS,
            "first_s": first_s,
            "last_s": last_s,
        }
        self._db.execute(_SESSIONS, given)

    def left(self) -> int:
        """How many have not ended yet."""
        query = "SELECT count(*) FROM sessions_app_session WHERE status = 'running'"
        [(count,)] = self._stack.sql(f"{query} AND user_id = ANY(%s)", self._users)
        return int(count)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
