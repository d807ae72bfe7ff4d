"""How long a piece of work may take. Whatever waits on its way asks here how long it still may.

    with within(8.5):       # a request: its turn, its hash, its connection, each of its statements
        ...

The limits of single steps (2 s for a connection, 5 s for a statement) add up to more than anybody
waits; a deadline is shared by all of them. The connections to the database hold to it, whatever
the server does (`database/connections.py`). Where nothing is said, each statement has its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic

_until: ContextVar[float] = ContextVar("until", default=inf)  # on the monotonic clock
_hurried: ContextVar[bool] = ContextVar("hurried", default=True)


@contextmanager
def until(at: float) -> Iterator[None]:
    """The block's work ends by `at`, on the monotonic clock; sooner where that was said before."""
    token = _until.set(min(at, _until.get()))
    try:
        yield
    finally:
        _until.reset(token)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """The same, from now."""
    with until(monotonic() + seconds):
        yield


@contextmanager
def unhurried() -> Iterator[None]:
    """For a command that has told the database to let its statements take long."""
    token = _hurried.set(False)
    try:
        yield
    finally:
        _hurried.reset(token)


@contextmanager
def at_least(seconds: float) -> Iterator[None]:
    """So much time for the block, even where none is left: to leave things as they were found."""
    token = _until.set(max(_until.get(), monotonic() + seconds))
    try:
        yield
    finally:
        _until.reset(token)


def left(at_most: float = inf) -> float:
    """Seconds for the next step: what is left, but at most so much, and never below 0."""
    return max(0.0, min(at_most, _until.get() - monotonic()))


def longest_wait(usual: float) -> float:
    """Seconds for one answer of the database, which takes no longer than `usual`. May be `inf`."""
    return left(usual if _hurried.get() else inf)
