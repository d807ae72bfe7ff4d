"""Middlewares of every request: its id, its line in the log, errors in JSON, CORS, UTF-8."""

import logging
from collections.abc import Callable
from time import perf_counter

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from runtime import log_context
from web.errors import as_json, request_id
from web.request_metrics import count_request

requests = logging.getLogger("space.requests")

GetResponse = Callable[[HttpRequest], HttpResponse]
LONGEST_METHOD = 20  # Daphne takes any
LONGEST_PATH = 200  # characters of a path that has no route


class RequestId:
    """Gives the request its id, logs and counts it, and answers with `X-Request-Id`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        its_id = request_id(request.headers.get("X-Request-Id", ""))
        request.id = its_id  # type: ignore[attr-defined]
        with log_context.request(its_id):
            began = perf_counter()
            response = self.get_response(request)
            took_s = perf_counter() - began
            count_request(request, response.status_code, took_s)
            if settings.LOG_REQUESTS:
                _log(request, response, took_s)
        response["X-Request-Id"] = its_id
        return response


def _log(request: HttpRequest, response: HttpResponse, took_s: float) -> None:
    """A line for a request: never its query, its body, or a header."""
    path, method = _path(request), str(request.method)[:LONGEST_METHOD]
    status, ms = response.status_code, round(took_s * 1000, 1)
    extra: dict[str, object] = {"method": method, "path": path, "status": status, "ms": ms}
    if not response.streaming:
        extra["bytes"] = len(response.content)
    # Of the admin's session; the user of a token is in the context of the log already.
    if (user := getattr(request, "_cached_user", None)) is not None and user.pk is not None:
        extra["user"] = user.pk
    requests.info("%s %s %s in %s ms", method, path, status, ms, extra=extra)


def _path(request: HttpRequest) -> str:
    """The pattern of the path, as in `/sessions/<id:session_id>/`: the same for all sessions."""
    found = request.resolver_match
    if found is not None and found.app_name != "admin":  # the log shows which rows staff saw
        return f"/{found.route}"
    return request.path[:LONGEST_PATH]


class JsonErrors:
    """Makes every error JSON (those of Django and DRF can be HTML, YAML, or empty)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return as_json(request, self.get_response(request))


class Cors(CorsMiddleware):
    """Compares origins exactly. (The library compares them after parsing.)"""

    def origin_found_in_white_lists(self, origin: str, url: object) -> bool:
        return origin in settings.CORS_ALLOWED_ORIGINS


class Utf8:
    """Decodes text as UTF-8, whatever `charset` says: Python's codecs include zlib."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.encoding is not None:
            request.encoding = "utf-8"
        return self.get_response(request)
