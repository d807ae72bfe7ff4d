"""Counts per minute, shared by all processes through Redis, or of this process while it is away.

A limit is worth less than the service: without Redis each process counts for itself, a request
waits for it at most once in `RETRY_S`, and the log says so once a minute.
"""

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, time

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

WINDOW_S = 60
RETRY_S = 5  # how long Redis is left alone after it failed
_FORGET_S = 2 * WINDOW_S  # longer than a window, so that no count expires while it is raised


def raise_count(name: str) -> int:
    """One more of `name` in this minute. How many there are now."""
    return _shared.ask(_raise_in_redis, _own.raise_count, _key(name))


def read_count(name: str) -> int:
    """How many of `name` there were in this minute."""
    return _shared.ask(lambda key: cache.get(key, 0), _own.read_count, _key(name))


def seconds_left() -> float:
    """Until the next minute begins and all counts are zero again."""
    return WINDOW_S - time() % WINDOW_S


def _key(name: str) -> str:
    # Hashed, since a name is whatever somebody typed.
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:32]
    return f"limit.{digest}.{int(time() // WINDOW_S)}"


def _raise_in_redis(key: str) -> int:
    while not cache.add(key, 1, _FORGET_S):
        with suppress(ValueError):  # evicted, or flushed, between the two
            return cache.incr(key)
    return 1


class _OwnCounts:
    """The counts of this process alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._window = 0.0

    def raise_count(self, key: str) -> int:
        with self._lock:
            if (window := time() // WINDOW_S) != self._window:
                self._window = window
                self._counts.clear()
            self._counts[key] += 1
            return self._counts[key]

    def read_count(self, key: str) -> int:
        with self._lock:
            return self._counts[key]


class _Shared:
    """Redis, as long as it answers. After a failure one caller looks again every `RETRY_S`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left_alone_until: float | None = None
        self._logged_at: float | None = None

    def ask(self, there: Callable[[str], int], here: Callable[[str], int], key: str) -> int:
        if not self._may_try():
            return here(key)
        try:
            count = there(key)
        except (RedisError, OSError) as error:
            self._failed(error)
            return here(key)
        self._left_alone_until = None
        return count

    def _may_try(self) -> bool:
        with self._lock:
            if self._left_alone_until is None:
                return True
            now = monotonic()
            if now < self._left_alone_until:
                return False
            self._left_alone_until = now + RETRY_S  # the others need not wait with this one
            return True

    def _failed(self, error: Exception) -> None:
        now = monotonic()
        with self._lock:
            self._left_alone_until = now + RETRY_S
            if self._logged_at is not None and now - self._logged_at < WINDOW_S:
                return
            self._logged_at = now
        log.warning("Redis is away, so each process counts its limits alone: %s", error)


_own = _OwnCounts()
_shared = _Shared()
