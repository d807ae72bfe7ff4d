"""Waiting for one's turn at work of which only a little may be done at a time."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Event, Lock

from django.db import connection


class NoTurn(Exception):
    """No turn came."""


class QueueFull(NoTurn):
    """As many as may wait do so already."""


class TookTooLong(NoTurn):
    """It waited, and none came in time."""


class FairTurns:
    """So many at a time. A place that comes free goes round between those who wait: each has a
    queue of its own, so that nobody can fill it for the others.

    It is handed over, never up for grabs: who comes late takes it from nobody who waits.
    """

    def __init__(self, at_a_time: int) -> None:
        self._lock = Lock()
        self._free = at_a_time  # 0 whenever somebody waits
        self._queues: OrderedDict[object, deque[Event]] = OrderedDict()  # none is empty

    @contextmanager
    def of(self, who: object, *, waiting: float, within_s: float) -> Iterator[None]:
        """Holds a place for the block. Raises QueueFull at once where `waiting` others of `who`
        wait already, and TookTooLong after `within_s` seconds.
        """
        if (place := self._place_or_queue(who, waiting)) is not None:
            _give_connection_back()
            if not place.wait(within_s) and self._withdrawn(who, place):
                raise TookTooLong
        try:
            yield
        finally:
            self._pass_on()

    def _place_or_queue(self, who: object, waiting: float) -> Event | None:
        """None: it has its place. Otherwise what it waits for."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
            if len(self._queues.get(who, ())) >= waiting:
                raise QueueFull
            place = Event()
            self._queues.setdefault(who, deque()).append(place)
            return place

    def _withdrawn(self, who: object, place: Event) -> bool:
        """False where the place came at the last moment."""
        with self._lock:
            if place.is_set():
                return False
            queue = self._queues[who]
            queue.remove(place)
            if not queue:
                del self._queues[who]
            return True

    def _pass_on(self) -> None:
        with self._lock:
            if not self._queues:
                self._free += 1
                return
            who, queue = self._queues.popitem(last=False)  # whose turn is the longest ago
            queue.popleft().set()
            if queue:
                self._queues[who] = queue


def taken(slots: BoundedSemaphore, *, within_s: float) -> bool:
    """Takes one of `slots`, which the caller releases. False where none came free in time."""
    if slots.acquire(blocking=False):
        return True
    _give_connection_back()
    return slots.acquire(timeout=within_s)


def _give_connection_back() -> None:
    """A process has few, and those who queue would keep them from everybody else."""
    if not connection.in_atomic_block:
        connection.close()
