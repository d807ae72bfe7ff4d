"""Counts REST requests by route, their durations, and errors by code.

The threads that answer requests write these, so they are the library's own metrics, which lock.
Labels are closed sets that no client can extend: a path without a route is `unknown`; an unknown
method is `other`, and so is an unlisted code.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.conf import settings
from prometheus_client import Counter, Histogram, Summary, disable_created_metrics
from prometheus_client.registry import Collector

from accounts.exceptions import AccountError
from sessions_app.exceptions import SessionError

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more line for each, without use
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Codes that no exception of ours has.
_CODES = frozenset(
    {
        *("bad_message", "internal", "invalid", "method_not_allowed", "not_acceptable"),
        *("not_authenticated", "not_found", "parse_error", "throttled", "token_not_valid"),
        *("too_large", "too_slow", "unavailable", "unsupported_media_type"),
    }
)

requests = Counter(
    "space_http_requests",
    "Requests that Django answered, by method, pattern of the path, and class of the status.",
    ["method", "route", "status"],
    registry=None,
)
duration = Histogram(
    "space_http_request_duration_seconds",
    "How long Django took for a request, without the wait for a thread.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=None,
)
by_route = Summary(
    "space_http_route_duration_seconds",
    "The same by the pattern of the path: how many, and how long all of them took.",
    ["route"],
    registry=None,
)
errors = Counter(
    "space_errors",
    "Errors that REST answered, by their code; also those before Django.",
    ["code"],
    registry=None,
)
FAMILIES: list[Collector] = [requests, duration, by_route, errors]
for _code in ("internal", "unavailable"):
    errors.labels(_code)  # from the start, so that the first one is seen as a rise


def count_request(request: Any, status: int, took_s: float) -> None:
    """Counts a request that Django has answered."""
    method = request.method if request.method in METHODS else "other"
    route = route_of(request)
    count, time = _of(method, route, f"{status // 100}xx")
    count.inc()
    time.observe(took_s)
    duration.observe(took_s)


@cache
def _of(method: str, route: str, status: str) -> tuple[Counter, Summary]:
    """One entry for each set of labels. The library's own search takes ten times as long."""
    return requests.labels(method, route, status), by_route.labels(route)


def count_error(code: str) -> None:
    errors.labels(code if code in known_codes() else "other").inc()


def route_of(request: Any) -> str:
    """The pattern of the path, of a closed set whatever a client requests."""
    found = request.resolver_match
    if found is None:  # a static file, or no route
        return "/static/" if request.path.startswith(settings.STATIC_URL) else "unknown"
    return "/admin/" if found.app_name == "admin" else f"/{found.route}"


@cache
def known_codes() -> frozenset[str]:
    """All codes of errors."""
    named = {kind.code for base in (AccountError, SessionError) for kind in _kinds(base)}
    return _CODES | named


def _kinds(base: Any) -> Iterator[Any]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
