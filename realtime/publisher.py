"""A committed change -> the Redis group of its user, without ever holding up who made it.

One thread with one event loop per process waits for Redis, with a bound (calling the layer from
synchronous code would open a loop and a connection for each message). What cannot be delivered is
dropped: the database is the truth, and each process asks it now and then (`reconcile.py`).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections import deque
from typing import Any

from accounts.events import LoginRevoked
from realtime import groups, messages
from realtime.groups import Message
from realtime.tally import publish_delay, tally
from sessions_app.events import Reminded, SessionChanged

log = logging.getLogger(__name__)

AT_ONCE = 100  # messages in one round trip: what waits by then goes together
PATIENCE_S = 2.0  # for a round trip; it may still arrive afterwards, so repeats are harmless
TOO_OLD_S = 5.0  # by then every process has asked the database
LONGEST_QUEUE = 20_000  # messages of 1 to 2 KB, more than come in 5 s; the oldest go first
FLUSH_S = 2.0  # how long a process that ends waits for what it has announced


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
    burst costs a round trip for a hundred.
    """

    def __init__(self) -> None:
        self._queue: deque[tuple[float, str, dict[str, Any]]] = deque(maxlen=LONGEST_QUEUE)
        self._starting = threading.Lock()
        self._guard = threading.Lock()  # `_idle` says whether the queue is empty
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event
        self._idle = threading.Event()
        self._idle.set()
        self._woken = False  # the loop has yet to look at the queue
        self._failing = False

    def put(self, user_id: int, message: dict[str, Any]) -> None:
        """Returns at once. Safe from any thread."""
        loop = self._loop or self._start()
        with self._guard:
            tally.publish_overflowed += len(self._queue) == LONGEST_QUEUE  # the oldest goes
            self._queue.append((time.monotonic(), groups.of_user(user_id), message))
            self._idle.clear()
        if not self._woken:  # waking costs more than the rest: once for a burst
            self._woken = True
            loop.call_soon_threadsafe(self._wake.set)

    def waiting(self) -> int:
        return len(self._queue)

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Waits until all that was put has been sent or dropped. False if that took too long."""
        return self._idle.wait(timeout_s)

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
                if together := self._next():
                    await self._send([message for _, message in together])
                    self._note(together)
            with self._guard:
                if not self._queue:
                    self._idle.set()

    def _note(self, together: list[tuple[float, Message]]) -> None:
        if self._failing:
            tally.publish_failed += len(together)
            return
        tally.published += len(together)
        now = time.monotonic()
        for put_at, _ in together:
            publish_delay.note(now - put_at)

    def _next(self) -> list[tuple[float, Message]]:
        """Takes what goes together, oldest first, without what has become too old."""
        since = time.monotonic() - TOO_OLD_S
        waiting = min(AT_ONCE, len(self._queue))
        taken = [self._queue.popleft() for _ in range(waiting)]
        fresh = [(put_at, (group, message)) for put_at, group, message in taken if put_at > since]
        tally.publish_too_old += len(taken) - len(fresh)
        return fresh

    async def _send(self, together: list[Message]) -> None:
        try:
            await asyncio.wait_for(groups.send_all(together), PATIENCE_S)
        except Exception as error:
            if not self._failing:
                log.warning("cannot publish, devices hear by the next poll: %r", error)
            self._failing = True
        else:
            if self._failing:
                log.info("publishing again")
            self._failing = False


_publisher = Publisher()
flush = _publisher.flush
waiting = _publisher.waiting
