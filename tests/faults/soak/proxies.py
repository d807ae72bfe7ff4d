"""Proxies in a process of their own: traffic must not wait for the Python of the devices."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.managers import BaseManager, BaseProxy
from typing import Any
from urllib.parse import urlsplit

from local.guard import die_with
from tests.support.proxy import Proxy

FAULTS = ("blackhole", "mute", "delay", "cut", "reset", "refuse", "heal")


class Way(BaseProxy):
    """A `Proxy` in that process."""

    _exposed_ = (*FAULTS, "stop", "__getattribute__")

    @property
    def port(self) -> int:
        port: Any = self._callmethod("__getattribute__", ("port",))  # type: ignore[func-returns-value]
        return int(port)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in FAULTS:
            raise AttributeError(name)
        return lambda *given: self._callmethod(name, given)


class Ways(BaseManager):
    """The process of the proxies."""

    def to(self, url: str) -> Way:
        """A proxy to the host of this URL."""
        parts = urlsplit(url)
        way: Way = self.Proxy(parts.hostname, parts.port)  # type: ignore[attr-defined]
        return way


Ways.register("Proxy", Proxy, Way)


def _alone(parent: int) -> None:
    """Ctrl-C is for the soak; the process ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent, signal.SIGKILL)


@contextmanager
def ways() -> Iterator[Ways]:
    made = Ways(ctx=get_context("spawn"))
    made.start(_alone, (os.getpid(),))
    try:
        yield made
    finally:
        made.shutdown()
