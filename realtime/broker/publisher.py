"""Publishes committed changes to the Redis group of their user, without delaying the request.

One thread with one event loop per process waits for Redis, with a bound (calling the layer from
synchronous code would open a loop and a connection for each message). A message that cannot be sent
within seconds is dropped: each process reads missed changes from the database (`reconcile.py`).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections import deque
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from accounts.events import LoginRevoked
from realtime.broker import channel_layer
from realtime.broker.channel_layer import Message
from realtime.protocol import messages
from realtime.stats import publish_delay, stats
from sessions_app.events import Reminded, SessionChanged

log = logging.getLogger(__name__)

MAX_BATCH = 100  # messages in one round trip: all that wait are sent together
REDIS_TIMEOUT_S = 2.0  # for a round trip; messages may still arrive, so repeats are harmless
TOO_OLD_S = 5.0  # by then every process has asked the database
RETRY_S = 0.25
LONGEST_QUEUE = 20_000  # messages of 1 to 2 KB, more than come in 5 s; the oldest are dropped
LARGEST_QUEUE = 64 * 1024 * 1024  # characters: a session with all its tasks has a hundred thousand
FLUSH_S = 2.0  # how long a process that ends waits for its messages to be sent

# Raised by redis-py and the event loops at a connection that is gone. uvloop raises RuntimeError:
# "the handler is closed".
STALE = (OSError, RuntimeError, RedisConnectionError)
AWAY = (*STALE, TimeoutError, RedisError)  # another server, or this one later, may take the message

Waiting = tuple[float, str, dict[str, Any]]  # since when, the group, the message


def publish_change(change: SessionChanged, **_: Any) -> None:
    """Receiver of `session_changed`. The frame is encoded here, once for all devices."""
    _publisher.put(
        change.user_id,
        {
            "kind": "change",
            "user": change.user_id,
            "revision": change.revision,
            "session": change.session_id,
            "version": change.version,
            "ends_at_ms": messages.ends_at_ms(change.state),
            "frame": messages.of_change(change).as_text(),
        },
    )


def publish_reminder(reminder: Reminded, **_: Any) -> None:
    """Receiver of `session_reminded`."""
    frame = messages.of_reminder(reminder).as_text()
    _publisher.put(reminder.user, {"kind": "reminder", "user": reminder.user, "frame": frame})


def publish_revocation(revoked: LoginRevoked, **_: Any) -> None:
    """Receiver of `login_revoked`."""
    _publisher.put(
        revoked.user_id, {"kind": "revoked", "user": revoked.user_id, "login": revoked.login_id}
    )


class Publisher:
    """A queue, and a daemon thread that empties it into Redis, in order.

    Messages that wait while Redis answers are sent together next: a single change is sent at once,
    and a burst costs a round trip for a hundred. The messages of a round trip that failed are sent
    again until they are too old. A repeat is harmless: receivers keep the highest revision.
    """

    def __init__(self) -> None:
        self._queue: deque[Waiting] = deque()
        self._queued = 0  # characters
        self._starting = threading.Lock()
        self._guard = threading.Lock()  # of the queue; `_idle` says whether it is empty
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event
        self._idle = threading.Event()
        self._idle.set()
        self._woken = False  # the loop has yet to read the queue
        self._failing = False
        self.rounds = 0  # of reading the queue; the watchdog expects it to rise

    def put(self, user_id: int, message: dict[str, Any]) -> None:
        """Returns at once. Safe from any thread."""
        loop = self._loop or self._start()
        waiting = time.monotonic(), channel_layer.of_user(user_id), message
        with self._guard:
            self._queue.append(waiting)
            self._queued += _size(waiting)
            while len(self._queue) > LONGEST_QUEUE or self._queued > LARGEST_QUEUE:
                self._take()
                stats.publish_overflowed += 1
            self._idle.clear()
        if not self._woken:  # waking costs more than the rest: once for a burst
            self._woken = True
            loop.call_soon_threadsafe(self._wake.set)

    def waiting(self) -> int:
        return len(self._queue)

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Waits until all that was put has been sent or dropped. False if that took too long."""
        return self._idle.wait(timeout_s)

    def _take(self) -> Waiting:
        taken = self._queue.popleft()
        self._queued -= _size(taken)
        return taken

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                started = threading.Event()
                threading.Thread(
                    target=lambda: asyncio.run(self._run(started)), name="publisher", daemon=True
                ).start()
                started.wait()
                atexit.register(self.flush)
            assert self._loop is not None
            return self._loop

    async def _run(self, started: threading.Event) -> None:
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        started.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._woken = False  # before reading: a message put from now on wakes the loop again
            while self._queue:
                self.rounds += 1
                try:
                    if together := self._next():
                        await self._send(together)
                except Exception:  # a fault of the program: the next message must still be sent
                    log.exception("messages could not be published")
            with self._guard:
                if not self._queue:
                    self._idle.set()

    def _next(self) -> list[Waiting]:
        """Takes the next batch, oldest first, without messages that are too old."""
        since = time.monotonic() - TOO_OLD_S
        with self._guard:
            taken = [self._take() for _ in range(min(MAX_BATCH, len(self._queue)))]
        together = [waiting for waiting in taken if waiting[0] > since]
        stats.publish_too_old += len(taken) - len(together)
        return together

    def _count(self, together: list[Waiting]) -> None:
        stats.published += len(together)
        now = time.monotonic()
        for put_at, _, _ in together:
            publish_delay.observe(now - put_at)

    async def _send(self, together: list[Waiting]) -> None:
        messages: list[Message] = [(group, message) for _, group, message in together]
        try:
            try:
                await asyncio.wait_for(channel_layer.send_all(messages), REDIS_TIMEOUT_S)
            except TimeoutError:  # an OSError too; a second try would take as long
                raise
            except STALE:
                # The first use of a connection that broke while idle raises, and the next one makes
                # a new connection: there is no reason to wait.
                stats.publish_retried += len(together)
                await asyncio.wait_for(channel_layer.send_all(messages), REDIS_TIMEOUT_S)
        except Exception as error:
            if not self._failing:
                log.warning("cannot publish, devices get changes from the database: %r", error)
            self._failing = True
            if isinstance(error, AWAY):
                await self._put_back(together)
            else:
                stats.publish_failed += len(together)
        else:
            self._count(together)
            if self._failing:
                log.info("publishing again")
            self._failing = False

    async def _put_back(self, together: list[Waiting]) -> None:
        """Puts them first again, and waits a moment. `_next` drops those that get too old."""
        stats.publish_retried += len(together)
        with self._guard:
            self._queue.extendleft(reversed(together))
            self._queued += sum(map(_size, together))
        await asyncio.sleep(RETRY_S)


def _size(waiting: Waiting) -> int:
    """In characters, which take the memory."""
    return len(waiting[2].get("frame", ""))


_publisher = Publisher()
flush = _publisher.flush
waiting = _publisher.waiting


def rounds() -> int:
    """How often the publisher has read its queue."""
    return _publisher.rounds
