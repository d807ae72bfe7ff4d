"""Deadlines: each step of a piece of work that waits asks here how long it may.

    with within(8.5):       # a request: its slot, its hash, its connection, each of its statements
        ...

The limits of single steps (2 s for a connection, 5 s for a statement) add up to more than a client
waits, so all steps share a deadline. The connections to the database keep it, whatever the server
does (`database/connections.py`). Without a deadline each statement has its own limit.
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
    """The block's work ends by `at` (monotonic clock), or by an outer deadline before that."""
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
    """For a command that has set a long statement timeout in the database."""
    token = _hurried.set(False)
    try:
        yield
    finally:
        _hurried.reset(token)


@contextmanager
def at_least(seconds: float) -> Iterator[None]:
    """At least so much time for the block, even where none is left: to clean up."""
    token = _until.set(max(_until.get(), monotonic() + seconds))
    try:
        yield
    finally:
        _until.reset(token)


def left(at_most: float = inf) -> float:
    """Seconds for the next step: the time that is left, at most `at_most`, at least 0."""
    return max(0.0, min(at_most, _until.get() - monotonic()))


def longest_wait(usual: float) -> float:
    """Seconds for one answer of the database, at most `usual`. May be `inf`."""
    return left(usual if _hurried.get() else inf)
