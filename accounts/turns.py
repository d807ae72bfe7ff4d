"""Waiting for one's turn at work of which only a little may be done at a time."""

from threading import BoundedSemaphore

from django.db import connection


def taken(slots: BoundedSemaphore, *, within_s: float) -> bool:
    """Takes one of `slots`, which the caller releases. False where none came free in time.

    Who waits gives the database's connection back first: a process has few, and those who queue
    here would keep them from everybody else.
    """
    if slots.acquire(blocking=False):
        return True
    if not connection.in_atomic_block:
        connection.close()
    return slots.acquire(timeout=within_s)
