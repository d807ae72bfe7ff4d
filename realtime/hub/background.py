"""The parts of one event loop (`Node`), and its background tasks: start, restart and stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings

from realtime.broker.connection import notify_on_reconnect, stop_notifying
from realtime.clock import clock
from realtime.delivery.ticker import Ticker
from realtime.hub.admission import Admission
from realtime.hub.draining import is_draining
from realtime.hub.heartbeats import keep_sending_heartbeats
from realtime.hub.hub import Hub
from realtime.hub.memory import keep_trimming
from realtime.hub.reconcile import Reconciler
from realtime.hub.rooms import Socket
from realtime.hub.subscription import Subscription
from realtime.hub.unauthenticated import UnauthenticatedSockets
from realtime.protocol.limits import ConnectRate
from realtime.stats import stats

log = logging.getLogger(__name__)

RESTART_AFTER_S = 1.0
CANCEL_AGAIN_AFTER_S = 0.5


class BackgroundTasks:
    """Tasks that run for ever, by name. One that ends is started again."""

    def __init__(self, tasks: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]) -> None:
        self._functions = tasks
        self.running: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    def start(self) -> None:
        for name in self._functions:
            self._start(name)

    def _start(self, name: str) -> None:
        if self._stopping:
            return
        task = self.running[name] = asyncio.create_task(self._functions[name](), name=name)
        task.add_done_callback(self._restart)

    def _restart(self, task: asyncio.Task[None]) -> None:
        """None of them should end, whatever happens; the sockets must not suffer by it."""
        error = None if task.cancelled() else task.exception()
        if self._stopping or is_draining() or task.get_loop().is_closed():
            return
        log.error("%s has ended, starting it again", task.get_name(), exc_info=error)
        stats.tasks_restarted += 1
        task.get_loop().call_later(RESTART_AFTER_S, self._start, task.get_name())

    async def stop(self) -> None:
        self._stopping = True
        await cancel_until_ended(self.running.values())


async def cancel_until_ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels these tasks, again and again until they have ended.

    `asyncio.wait_for` of Python 3.11 loses a cancellation that comes in the moment of the result,
    and redis-py sends each command by it: a task that is cancelled once might run for ever.
    """
    left = tuple(tasks)
    while left := tuple(task for task in left if not task.done()):
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN_AFTER_S)


class Node:
    """The parts of one event loop, made with its first socket."""

    _nodes: WeakKeyDictionary[asyncio.AbstractEventLoop, Node] = WeakKeyDictionary()

    def __init__(self) -> None:
        messages_lost = asyncio.Event()  # has the reconciler start a round at once
        subscription = Subscription(on_recovered=messages_lost.set)
        self.canary = subscription.canary
        self.hub = Hub(subscription, Ticker(clock.now_ms))
        self.reconciler = Reconciler(self.hub, self.canary, messages_lost)
        self.admission = Admission()
        self.connect_rate = ConnectRate(time.monotonic, settings.SOCKETS_PER_USER)
        self.open_sockets: dict[Socket, None] = {}  # also those that are not authenticated
        self.unauthenticated = UnauthenticatedSockets(time.monotonic)
        self.tasks = BackgroundTasks(
            {
                "hub: listen": lambda: subscription.listen(self.hub.on_message),
                "hub: canary": self.canary.run,
                "hub: join": self.hub.keep_joined,
                "hub: reconcile": self.reconciler.run,
                "hub: heartbeats": lambda: keep_sending_heartbeats(self.hub.rooms),
                "hub: tidy": keep_trimming,
            }
        )
        self.tasks.start()
        # redis-py has subscribed again; what was published in between is lost.
        notify_on_reconnect(messages_lost.set)

    @classmethod
    def here(cls) -> Node:
        """That of the running loop; it is started if there is none."""
        loop = asyncio.get_running_loop()
        return cls._nodes.get(loop) or cls._nodes.setdefault(loop, cls())

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Node | None:
        """That of this loop, if there is one. Safe from any thread."""
        return cls._nodes.get(loop)

    @classmethod
    def all(cls) -> list[Node]:
        """Those of this process: one, or none before the first socket. Safe from any thread."""
        return list(cls._nodes.values())

    async def stop(self) -> None:
        """Ends the tasks (a server's loop simply ends with its process; tests call this)."""
        stop_notifying()
        await self.tasks.stop()
        self._nodes.pop(asyncio.get_running_loop(), None)
