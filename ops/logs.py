"""Formats and filters of the log.

In production a line is one JSON object, in development a sentence. Both name the request, user or
socket (`runtime/log_context.py`). Neither shows data that a client can have sent: no attributes
that libraries add to their records (Django adds the request), no details of the database's errors
(they quote rows), no string that could be a token or an e-mail address. Control characters are
escaped, so that no client can write a line of its own, or control a terminal.
"""

from __future__ import annotations

import logging
import re
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import msgspec

from runtime import log_context
from runtime.stats import LabelledCounter

OUTAGE_ENDS_AFTER_S = 30.0  # without a line; the next one is of another outage
LONGEST = 8_000  # characters of a message
MOST_LINES = 10  # about the same problem, each from its own request or socket
MOST_LINES_WITHIN_S = 60.0
MOST_PROBLEMS = 500  # that are kept apart; some libraries format their messages early
LONGEST_OF_AN_EXCEPTION = 300  # characters of its message; the traceback is not cut
_OURS = "space."  # loggers whose records carry values to show

# Beside its sentence PostgreSQL quotes the values that were to be written.
_DETAILS_OF_POSTGRESQL = re.compile(r"\n(DETAIL|CONTEXT|HINT|QUERY|STATEMENT|LINE \d+):.*", re.S)
_TOKEN = re.compile(r"eyJ[\w-]{8,}(\.[\w-]*){0,2}")
_EMAIL = re.compile(r"[^\s@<>\"'=,;:()/]{1,64}@[\w.-]{1,255}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """For people: time, level, logger, message, context. A traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        context = " ".join(f"{name}={value}" for name, value in _context(record).items())
        line = f"{_time(record)} {record.levelname:<7} {record.name}: {_message(record)}"
        lines = [one_line(f"{line} [{context}]" if context else line)]
        lines += [f"    {one_line(part)}" for part in _exception(record).splitlines()]
        return "\n".join(lines)


class Json(logging.Formatter):
    """For machines: one object a line. Our own loggers add their values."""

    def format(self, record: logging.LogRecord) -> str:
        process, _, name = record.name.rpartition(" ")  # see `server/prefork.py`
        fields: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": name,
            "message": _message(record),
        }
        if process:
            fields["process"] = process
        fields |= _context(record)
        if name.startswith(_OURS):
            fields |= {key: _plain(value) for key, value in vars(record).items() if _is_extra(key)}
        if exception := _exception(record):
            fields["exception"] = exception
        line = msgspec.json.encode(fields).decode()
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)  # JSON allows some


def one_line(text: str) -> str:
    """With every character escaped that could end a line or change how it is shown."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def without_secrets(text: str) -> str:
    text = _TOKEN.sub("[token]", text)
    return _EMAIL.sub("[e-mail]", text) if "@" in text else text


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, tz=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    message = _DETAILS_OF_POSTGRESQL.sub("", record.getMessage())
    message = _encodable(without_secrets(message[:LONGEST]))
    left_out = getattr(record, "left_out", 0)
    return f"{message} (and {left_out} more like it before, left out)" if left_out else message


def _context(record: logging.LogRecord) -> dict[str, str | int]:
    """Django writes its own lines about a request after our middleware, so they need its id."""
    context = log_context.current()
    request_id = getattr(getattr(record, "request", None), "id", None)
    return {"request_id": request_id, **context} if request_id else context


def _is_extra(name: str) -> bool:
    return name not in _STANDARD and name != "request"


def _plain(value: object) -> object:
    """A value that a client may have sent; numbers as they are."""
    if value is None or isinstance(value, int | float):
        return value
    return _encodable(without_secrets(str(value)[:LONGEST]))


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()  # lone surrogates


# -- tracebacks ----------------------------------------------------------------------------------


def _exception(record: logging.LogRecord) -> str:
    """The traceback, or "". An error that a client can cause needs none."""
    if not record.exc_info or not record.exc_info[1] or "django.security." in record.name:
        return ""
    return _encodable(without_secrets("\n".join(_chain(record.exc_info[1], set()))))


def _chain(error: BaseException, seen: set[int]) -> list[str]:
    """As Python shows it, the causes first, with each message cleaned."""
    seen.add(id(error))
    lines: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        lines += [*_chain(before, seen), "", "which led to:", ""]
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            if id(one) not in seen:
                lines += [*_chain(one, seen), "", "which is a part of:", ""]
    return [*lines, *_frames(error.__traceback__), f"{type(error).__qualname__}: {_text(error)}"]


def _frames(trace: TracebackType | None) -> list[str]:
    if trace is None:
        return []
    frames = "".join(traceback.format_tb(trace)).splitlines()
    return ["Traceback (most recent call last):", *frames]


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # a broken __str__
        return "(no message)"
    return one_line(_DETAILS_OF_POSTGRESQL.sub("", text)[:LONGEST_OF_AN_EXCEPTION])


# -- repeated lines ------------------------------------------------------------------------------

problems = LabelledCounter(
    "space_log_lines",
    "Lines of the log that say what is wrong, by level, also those left out of it.",
    "level",
    ("WARNING", "ERROR", "CRITICAL"),
)


class RepeatLimit(logging.Filter):
    """Limits repeated lines: a database that is away fails every request.

    Ten lines of one problem (one message in the code) pass in a minute. The first one after that
    has the number of those left out. `space.requests` and `space.security` are not limited: they
    record events, not problems.
    """

    def __init__(self, name: str = "", now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._now = now
        self._seen: dict[tuple[str, object], tuple[float, int]] = {}  # since when, and how many

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or _OURS in record.name:
            return True
        problems.add(record.levelname)
        problem, now = (record.name, str(record.msg)), self._now()
        since, count = self._seen.get(problem, (now, 0))
        if now - since >= MOST_LINES_WITHIN_S:
            record.left_out = max(0, count - MOST_LINES)
            since, count = now, 0
        if len(self._seen) >= MOST_PROBLEMS:
            self._seen.clear()
        self._seen[problem] = since, count + 1
        return count < MOST_LINES


class OneLinePerOutage(logging.Filter):
    """For a logger that writes a traceback each second while a server is away.

    The first one passes, as one line without its traceback; the others do not.
    """

    def __init__(self, name: str = "", now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._now = now
        self._quiet_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info is None:
            return True
        passes = self._now() >= self._quiet_until
        self._quiet_until = self._now() + OUTAGE_ENDS_AFTER_S
        record.msg, record.args = "%s: %r", (record.getMessage(), record.exc_info[1])
        record.exc_info = record.exc_text = None
        return passes
