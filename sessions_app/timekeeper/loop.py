"""Ends what is due and reminds of what will be, with nobody connected.

A loop around `sweep.py`. Any number of timekeepers may run, without a leader and without Redis.
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
from sessions_app.idempotency import forget_old_keys
from sessions_app.stats import stats
from sessions_app.timekeeper.retention import forget_old_history
from sessions_app.timekeeper.sweep import (
    BATCH,
    SweepFailed,
    finish_due,
    seconds_to_next,
    send_reminders,
)

log = logging.getLogger(__name__)

SHORTEST_NAP = 0.020  # seconds; a due row that another worker holds must not make us spin
LONGEST_NAP = 0.250  # seconds; bounds how late a deadline that moved closer is seen
NAP_AFTER_FAILURE = 0.5  # seconds; the database is away
HOUSEKEEPING_EVERY = timedelta(minutes=10)
ASIDE_S = 60.0  # how long a session that cannot be ended is left alone

timekeeper_starts = Signal()  # in a process that does nothing else


class Timekeeper:
    """Sleeps until the next deadline, ends what is due, and so on until it is told to stop."""

    def __init__(self, on_turn: Callable[[bool], object] = lambda worked: None) -> None:
        self.turns = 0  # whatever came of them
        self.worked = 0  # rounds and sweeps that succeeded
        self._on_turn = on_turn  # is told whether the round succeeded
        self._stopping = threading.Event()
        self._aside: dict[int, float] = {}  # sessions that failed, and when (monotonic)

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        failing = False
        while not self._stopping.is_set():
            began, worked = time.monotonic(), self.worked
            self.turns += 1
            try:
                nap = self._round()
                stats.round_done(time.monotonic() - began)
                self.worked += 1
                if failing:
                    log.info("the database is back")
                failing = False
            except Exception as error:  # whatever it is, the next deadline must find us here
                stats.rounds_failed += 1
                nap = NAP_AFTER_FAILURE
                if not (isinstance(error, DatabaseError) and is_transient(error)):
                    log.exception("a round failed")
                elif not failing:
                    log.warning("the database is away, trying again: %s", error)
                    failing = True
                if isinstance(error, DatabaseError):
                    recover_pool(error)
            close_old_connections()
            self._on_turn(self.worked > worked)
            self._stopping.wait(nap)

    def _round(self) -> float:
        """Does what is due, and gives how many seconds to sleep. One statement if nothing is."""
        seconds = seconds_to_next()
        if seconds is not None and seconds <= 0:
            self._all(finish_due)
            self._all(send_reminders)
            seconds = seconds_to_next()
        forget_old_keys(every=HOUSEKEEPING_EVERY)
        purge_old_logins(every=HOUSEKEEPING_EVERY)
        forget_old_history(every=HOUSEKEEPING_EVERY)
        return LONGEST_NAP if seconds is None else min(LONGEST_NAP, max(SHORTEST_NAP, seconds))

    def _all(self, sweep: Callable[..., int]) -> None:
        """Sweeps until nothing is due. A session that fails is put aside: the others must end.

        After a failure by halves, to find out which it is; then by ever more again.
        """
        limit = BATCH
        while not self._stopping.is_set():
            self.turns += 1
            try:
                swept = sweep(limit, leaving=self._left_alone())
                self.worked += 1
                if swept < limit:
                    return
                limit = min(BATCH, 2 * limit)
            except SweepFailed as failed:
                if len(failed.ids) == 1:
                    log.exception("session %s cannot be ended", failed.ids[0])
                    self._aside[failed.ids[0]] = time.monotonic()
                    stats.put_aside += 1
                limit = max(1, len(failed.ids) // 2)

    def _left_alone(self) -> list[int]:
        since = time.monotonic() - ASIDE_S
        self._aside = {pk: at for pk, at in self._aside.items() if at > since}
        return list(self._aside)
