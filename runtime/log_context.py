"""The request, the socket and the user that a log line belongs to.

Set once, where a request or a socket begins; `ops/logs.py` writes it into each line until its end.
Work that sockets share (batches, ticks) runs in a `Context()` of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_request: ContextVar[str | None] = ContextVar("request_id", default=None)
_connection: ContextVar[str | None] = ContextVar("connection", default=None)
_user: ContextVar[int | None] = ContextVar("user", default=None)


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """While a request is answered, in this thread."""
    of_request, of_user = _request.set(request_id), _user.set(None)
    try:
        yield
    finally:
        _request.reset(of_request)
        _user.reset(of_user)


def connection(connection_id: str) -> None:
    """From now on, in the task of a socket."""
    _connection.set(connection_id)


def user(user_id: int | None) -> None:
    """From now on, once the user is admitted."""
    _user.set(user_id)


def current() -> dict[str, str | int]:
    """The values that are set, by their names in the log."""
    known = {"request_id": _request.get(), "connection": _connection.get(), "user": _user.get()}
    return {name: value for name, value in known.items() if value is not None}
