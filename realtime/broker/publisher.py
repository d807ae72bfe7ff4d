"""A committed change -> the Redis group of its user, without ever holding up who made it.

One thread with one event loop per process waits for Redis, with a bound (calling the layer from
synchronous code would open a loop and a connection for each message). What cannot be delivered
within seconds is dropped: the database is the truth, and each process asks it now and then
(`reconcile.py`).
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

AT_ONCE = 100  # messages in one round trip: what waits by then goes together
PATIENCE_S = 2.0  # for a round trip; it may still arrive afterwards, so repeats are harmless
TOO_OLD_S = 5.0  # by then every process has asked the database
AGAIN_S = 0.25  # between two tries of what could not be sent
LONGEST_QUEUE = 20_000  # messages of 1 to 2 KB, more than come in 5 s; the oldest go first
LARGEST_QUEUE = 64 * 1024 * 1024  # characters: a session with all its tasks has a hundred thousand
FLUSH_S = 2.0  # how long a process that ends waits for what it has announced

# What redis-py and the event loops raise at a connection that is gone. uvloop's is RuntimeError:
# "the handler is closed".
GONE_STALE = (OSError, RuntimeError, RedisConnectionError)
AWAY = (*GONE_STALE, TimeoutError, RedisError)  # another server, or this one later, may take it

Waiting = tuple[float, str, dict[str, Any]]  # since when, for which group, what


def publish_change(change: SessionChanged, **_: Any) -> None:
    """Receiver of `session_changed`. The frame is encoded here, once for all devices."""
    timer = change.state.timer if change.state else None
    _publisher.put(
        change.user,
        {
            "kind": "change",
            "user": change.user,
            "revision": change.revision,
            "session": change.session,
            "version": change.version,
            "ends_at_ms": round(timer.ends_at.timestamp() * 1000)
            if timer and timer.ends_at
            else None,
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

    Whatever waits while Redis answers goes together next: one change alone goes at once, and a
    burst costs a round trip for a hundred. What a round trip that failed had with it goes again
    until it is too old: a repeat is harmless, receivers keep the highest revision.
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
        self._woken = False  # the loop has yet to look at the queue
        self._failing = False
        self.rounds = 0  # looks at the queue

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
            self._woken = False  # before looking: what is put from now on wakes us again
            while self._queue:
                self.rounds += 1
                try:
                    if together := self._next():
                        await self._send(together)
                except Exception:  # ours: the next message must find us here
                    log.exception("messages could not be published")
            with self._guard:
                if not self._queue:
                    self._idle.set()

    def _next(self) -> list[Waiting]:
        """Takes what goes together, oldest first, without what has become too old."""
        since = time.monotonic() - TOO_OLD_S
        with self._guard:
            taken = [self._take() for _ in range(min(AT_ONCE, len(self._queue)))]
        together = [waiting for waiting in taken if waiting[0] > since]
        stats.publish_too_old += len(taken) - len(together)
        return together

    def _note(self, together: list[Waiting]) -> None:
        stats.published += len(together)
        now = time.monotonic()
        for put_at, _, _ in together:
            publish_delay.observe(now - put_at)

    async def _send(self, together: list[Waiting]) -> None:
        messages: list[Message] = [(group, message) for _, group, message in together]
        try:
            try:
                await asyncio.wait_for(channel_layer.send_all(messages), PATIENCE_S)
            except TimeoutError:  # an OSError too; the same again would take as long
                raise
            except GONE_STALE:
                # The first use of a connection that broke while it was idle says so, and the next
                # one makes a new one: no reason to wait.
                stats.publish_retried += len(together)
                await asyncio.wait_for(channel_layer.send_all(messages), PATIENCE_S)
        except Exception as error:
            if not self._failing:
                log.warning("cannot publish, devices hear by the next poll: %r", error)
            self._failing = True
            if isinstance(error, AWAY):
                await self._put_back(together)
            else:
                stats.publish_failed += len(together)
        else:
            self._note(together)
            if self._failing:
                log.info("publishing again")
            self._failing = False

    async def _put_back(self, together: list[Waiting]) -> None:
        """They are the first ones again, after a moment. `_next` drops what gets too old."""
        stats.publish_retried += len(together)
        with self._guard:
            self._queue.extendleft(reversed(together))
            self._queued += sum(map(_size, together))
        await asyncio.sleep(AGAIN_S)


def _size(waiting: Waiting) -> int:
    """In characters, which is what takes the memory."""
    return len(waiting[2].get("frame", ""))


_publisher = Publisher()
flush = _publisher.flush
waiting = _publisher.waiting


def rounds() -> int:
    """How often the publisher has looked at its queue."""
    return _publisher.rounds
