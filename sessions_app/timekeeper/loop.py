"""The loop of a timekeeper: ends sessions at their deadline and sends reminders.

It needs no client and no Redis. Any number of timekeepers may run, without a leader: `sweep.py`
locks the rows that it takes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.dispatch import Signal

from accounts.services.retention import purge_old_logins
from runtime.database.pool import is_transient, recover_pool
from sessions_app.idempotency import purge_old_keys
from sessions_app.stats import stats
from sessions_app.timekeeper.housekeeping import Housekeeping
from sessions_app.timekeeper.retention import purge_old_events
from sessions_app.timekeeper.sweep import (
    BATCH,
    SweepFailed,
    finish_due,
    seconds_to_next,
    send_reminders,
)

log = logging.getLogger(__name__)

SHORTEST_NAP = 0.020  # seconds; so that the loop does not spin while another worker holds a due row
LONGEST_NAP = 0.250  # seconds; bounds how late a deadline that moved closer is seen
NAP_AFTER_FAILURE = 0.5  # seconds; the database is away
HOUSEKEEPING_INTERVAL = timedelta(minutes=10)
ASIDE_S = 60.0  # how long a session that cannot be ended is skipped

timekeeper_starts = Signal()  # sent in a process of its own


class Timekeeper:
    """Sleeps until the next deadline, ends what is due, and repeats that until `stop` is called.

    `after_round` is called after each round with True if the round succeeded.
    """

    def __init__(self, after_round: Callable[[bool], object] = lambda succeeded: None) -> None:
        self.begun = 0  # rounds and sweeps
        self.succeeded = 0  # of those
        self._after_round = after_round
        self._housekeeping = Housekeeping(
            HOUSEKEEPING_INTERVAL, [purge_old_keys, purge_old_logins, purge_old_events]
        )
        self._stopping = threading.Event()
        self._set_aside: dict[int, float] = {}  # sessions that failed, and when (monotonic)

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        is_away = False
        while not self._stopping.is_set():
            began, succeeded = time.monotonic(), self.succeeded
            self.begun += 1
            try:
                nap = self._round()
                stats.round_done(time.monotonic() - began)
                self.succeeded += 1
                if is_away:
                    log.info("the database is back")
                is_away = False
            except Exception as error:  # of any kind: the next deadline needs this loop
                stats.rounds_failed += 1
                nap = NAP_AFTER_FAILURE
                if not (isinstance(error, DatabaseError) and is_transient(error)):
                    log.exception("a round failed")
                elif not is_away:
                    log.warning("the database is away, trying again: %s", error)
                    is_away = True
                if isinstance(error, DatabaseError):
                    recover_pool(error)
            close_old_connections()
            self._after_round(self.succeeded > succeeded)
            self._stopping.wait(nap)

    def _round(self) -> float:
        """Does what is due, and gives the seconds to sleep. One statement if nothing is due."""
        seconds = seconds_to_next()
        if seconds is not None and seconds <= 0:
            self._sweep_all(finish_due)
            self._sweep_all(send_reminders)
            seconds = seconds_to_next()
        self._housekeeping.run()
        return LONGEST_NAP if seconds is None else min(LONGEST_NAP, max(SHORTEST_NAP, seconds))

    def _sweep_all(self, sweep: Callable[..., int]) -> None:
        """Sweeps until nothing is due. A session that fails is set aside: the others must end.

        After a failure the batch is halved, until the session that fails is alone in it. After a
        success it is doubled.
        """
        limit = BATCH
        while not self._stopping.is_set():
            self.begun += 1
            try:
                swept = sweep(limit, leaving=self._sessions_set_aside())
                self.succeeded += 1
                if swept < limit:
                    return
                limit = min(BATCH, 2 * limit)
            except SweepFailed as failed:
                if len(failed.ids) == 1:
                    log.exception("session %s cannot be ended", failed.ids[0])
                    self._set_aside[failed.ids[0]] = time.monotonic()
                    stats.put_aside += 1
                limit = max(1, len(failed.ids) // 2)

    def _sessions_set_aside(self) -> list[int]:
        since = time.monotonic() - ASIDE_S
        self._set_aside = {pk: at for pk, at in self._set_aside.items() if at > since}
        return list(self._set_aside)
