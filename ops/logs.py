"""What the log looks like, and what never gets into it.

In production a line is one JSON object, in development a sentence. Both say whose it is
(`runtime/log_context.py`) and neither shows what a client can have sent: no attributes that
libraries add to their records (Django adds the request), no details of the database's errors (they
quote rows), nothing that looks like a token or an e-mail address. Control characters are escaped,
so that nobody can write a line, or paint in a terminal.
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

QUIET_S = 30.0  # after so long without a word, the next one is of another outage
LONGEST = 8_000  # characters of a message
SPARE_AFTER = 10  # lines about the same trouble, each from its own request or socket
SPARE_FOR_S = 60.0
MOST_TROUBLES = 500  # that are told apart; some libraries write their sentences out
LONGEST_OF_AN_EXCEPTION = 300  # characters of what it says; the traceback is not cut
_OURS = "space."  # loggers that put what is to be seen into their records

# What PostgreSQL says besides its sentence quotes what was to be written.
_DETAILS_OF_POSTGRESQL = re.compile(r"\n(DETAIL|CONTEXT|HINT|QUERY|STATEMENT|LINE \d+):.*", re.S)
_TOKEN = re.compile(r"eyJ[\w-]{8,}(\.[\w-]*){0,2}")
_EMAIL = re.compile(r"[^\s@<>\"'=,;:()/]{1,64}@[\w.-]{1,255}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """For people: time, level, logger, message, whose it is. A traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        whose = " ".join(f"{name}={value}" for name, value in _whose(record).items())
        line = f"{_time(record)} {record.levelname:<7} {record.name}: {_message(record)}"
        lines = [one_line(f"{line} [{whose}]" if whose else line)]
        lines += [f"    {one_line(part)}" for part in _exception(record).splitlines()]
        return "\n".join(lines)


class Json(logging.Formatter):
    """For machines: an object a line. Of our own loggers with the values that they give."""

    def format(self, record: logging.LogRecord) -> str:
        process, _, name = record.name.rpartition(" ")  # see `server/prefork.py`
        said: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": name,
            "message": _message(record),
        }
        if process:
            said["process"] = process
        said |= _whose(record)
        if name.startswith(_OURS):
            said |= {key: _plain(value) for key, value in vars(record).items() if _is_extra(key)}
        if exception := _exception(record):
            said["exception"] = exception
        line = msgspec.json.encode(said).decode()
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)  # JSON lets some stand


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
    unsaid = getattr(record, "unsaid", 0)
    return f"{message} (and {unsaid} more like it before, left out)" if unsaid else message


def _whose(record: logging.LogRecord) -> dict[str, str | int]:
    """Django's own lines about a request are written when our middleware has left it."""
    whose = log_context.current()
    request_id = getattr(getattr(record, "request", None), "id", None)
    return {"request_id": request_id, **whose} if request_id else whose


def _is_extra(name: str) -> bool:
    return name not in _STANDARD and name != "request"


def _plain(value: object) -> object:
    """A value that somebody may have typed; numbers as they are."""
    if value is None or isinstance(value, int | float):
        return value
    return _encodable(without_secrets(str(value)[:LONGEST]))


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()  # lone surrogates


# -- tracebacks ----------------------------------------------------------------------------------


def _exception(record: logging.LogRecord) -> str:
    """The traceback, "" where there is none. What a client can cause needs none."""
    if not record.exc_info or not record.exc_info[1] or "django.security." in record.name:
        return ""
    return _encodable(without_secrets("\n".join(_chain(record.exc_info[1], set()))))


def _chain(error: BaseException, seen: set[int]) -> list[str]:
    """As Python shows it, the causes first, but of each exception only what may be shown."""
    seen.add(id(error))
    lines: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        lines += [*_chain(before, seen), "", "which led to:", ""]
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            if id(one) not in seen:
                lines += [*_chain(one, seen), "", "which is a part of:", ""]
    return [*lines, *_frames(error.__traceback__), f"{type(error).__qualname__}: {_said(error)}"]


def _frames(trace: TracebackType | None) -> list[str]:
    if trace is None:
        return []
    frames = "".join(traceback.format_tb(trace)).splitlines()
    return ["Traceback (most recent call last):", *frames]


def _said(error: BaseException) -> str:
    try:
        said = str(error)
    except Exception:  # somebody else's __str__
        return "(it cannot say what)"
    return one_line(_DETAILS_OF_POSTGRESQL.sub("", said)[:LONGEST_OF_AN_EXCEPTION])


# -- what is said too often ----------------------------------------------------------------------

troubles = LabelledCounter(("WARNING", "ERROR", "CRITICAL"))  # lines of the log, those left out too


class Sparing(logging.Filter):
    """For what goes wrong again and again: a database that is away fails every request.

    Of one trouble, as its line is written in the code, ten lines pass in a minute. The first one
    after that says how many were left out. Not for `space.requests` and `space.security`, which
    say what happened, not what is wrong.
    """

    def __init__(self, name: str = "", now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._now = now
        self._seen: dict[tuple[str, object], tuple[float, int]] = {}  # since when, and how many

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or _OURS in record.name:
            return True
        troubles.add(record.levelname)
        trouble, now = (record.name, str(record.msg)), self._now()
        since, count = self._seen.get(trouble, (now, 0))
        if now - since >= SPARE_FOR_S:
            record.unsaid = max(0, count - SPARE_AFTER)
            since, count = now, 0
        if len(self._seen) >= MOST_TROUBLES:
            self._seen.clear()
        self._seen[trouble] = since, count + 1
        return count < SPARE_AFTER


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
        self._quiet_until = self._now() + QUIET_S
        record.msg, record.args = "%s: %r", (record.getMessage(), record.exc_info[1])
        record.exc_info = record.exc_text = None
        return passes
