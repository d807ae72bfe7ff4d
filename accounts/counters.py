"""Counts per minute (or per hour), shared by all processes through Redis.

While Redis is away each process counts for itself and allows a part of each limit: a limit is worth
less than the service. A request then waits for Redis at most once in `RETRY_S`, and the log says so
once a minute.
"""

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from time import monotonic, time

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

MINUTE_S = 60
ALONE_SHARE = 4  # a process that counts alone allows a fourth, rounded up: there are others like it
RETRY_S = 5  # how long Redis is left alone after it failed


@dataclass(frozen=True)
class Count:
    """How many there were in this window. `alone`: in this process, the others are not known."""

    number: int
    alone: bool = False

    def is_above(self, limit: int) -> bool:
        return self.number > self.allowed(limit)

    def allowed(self, limit: int) -> int:
        return ceil(limit / ALONE_SHARE) if self.alone else limit


def raise_count(name: str, window_s: int = MINUTE_S, by: int = 1) -> Count:
    """Adds to the count of `name` in this window. Of calls at once no two get the same count."""
    key = _key(name, window_s)
    (count,) = _shared.ask(
        lambda: [_raise_in_redis(key, window_s, by)], lambda: [_own.raise_count(key, window_s, by)]
    )
    return count


def read_counts(names: Sequence[str]) -> list[Count]:
    """The count of each of these in this minute, in one round trip."""
    keys = [_key(name, MINUTE_S) for name in names]

    def read_in_redis() -> list[int]:
        found = cache.get_many(keys)
        return [found.get(key, 0) for key in keys]

    return _shared.ask(read_in_redis, lambda: [_own.read_count(key, MINUTE_S) for key in keys])


def seconds_left(window_s: int = MINUTE_S) -> float:
    """Until the next window begins and all counts are zero again."""
    return window_s - time() % window_s


def _key(name: str, window_s: int) -> str:
    # Hashed, since a client may have typed the name.
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:32]
    return f"limit.{digest}.{window_s}.{int(time() // window_s)}"


def _raise_in_redis(key: str, window_s: int, by: int) -> int:
    # First the command that suffices nearly always: each is a round trip in every request.
    while True:
        with suppress(ValueError):  # the first in this window
            return cache.incr(key, by)
        # Kept for longer than a window, so that no count expires while it is raised.
        if cache.add(key, by, 2 * window_s):
            return by


class _OwnCounts:
    """The counts of this process alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[int, Counter[str]] = {}  # by the length of their window
        self._windows: dict[int, float] = {}

    def raise_count(self, key: str, window_s: int, by: int = 1) -> int:
        with self._lock:
            if (window := time() // window_s) != self._windows.get(window_s):
                self._windows[window_s] = window
                self._counts[window_s] = Counter()
            self._counts[window_s][key] += by
            return self._counts[window_s][key]

    def read_count(self, key: str, window_s: int) -> int:
        with self._lock:
            return self._counts.get(window_s, Counter())[key]


Ask = Callable[[], list[int]]


class _Shared:
    """Redis, as long as it answers. After a failure one caller tries again every `RETRY_S`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left_alone_until: float | None = None
        self._logged_at: float | None = None

    def ask(self, redis: Ask, here: Ask) -> list[Count]:
        """The counts of Redis, or those of this process."""
        if self._may_try():
            try:
                counts = [Count(number) for number in redis()]
            except (RedisError, OSError) as error:
                self._failed(error)
            else:
                self._left_alone_until = None
                return counts
        return [Count(number, alone=True) for number in here()]

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
            if self._logged_at is not None and now - self._logged_at < MINUTE_S:
                return
            self._logged_at = now
        log.warning("Redis is away, so each process counts its limits alone: %s", error)


_own = _OwnCounts()
_shared = _Shared()
