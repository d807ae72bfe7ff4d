"""Makes every error of the API one JSON shape, wherever it was raised.

    {"error": "<one sentence>", "code": "<stable_code>", "detail": "<the same>", "request_id"}

The errors of a form are also listed under the names of their fields, as lists of sentences.
"""

import logging
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.response import Response

from runtime.database.pool import is_transient, recover_pool
from sessions_app.api.errors import as_http
from sessions_app.exceptions import SessionError
from web.request_metrics import count_error

log = logging.getLogger(__name__)

NOT_FOUND = "Nothing is here."
MALFORMED = "The request is malformed."
UNAVAILABLE = "The service is not available for a moment."
RETRY_AFTER_S = 2  # a part that is down is back, or is known to be down, within seconds


def handle(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler."""
    request = context["request"]
    if isinstance(exc, SessionError):
        conflict = as_http(exc, request)
        return _response(
            request, conflict.status, exc.code, str(exc), conflict.fields, conflict.headers
        )
    if isinstance(exc, DatabaseError) and is_transient(exc):
        # The database is away, full or too slow: the client may try again.
        log.error("database unavailable: %s", exc)
        recover_pool(exc)
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        return _response(request, 503, "unavailable", UNAVAILABLE, headers=headers)
    if isinstance(exc, Http404):
        return _response(request, 404, "not_found", NOT_FOUND)
    if isinstance(exc, SuspiciousOperation):  # such as a query with a thousand names
        return _response(request, 400, "invalid", MALFORMED)
    if isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if isinstance(exc, exceptions.ValidationError):
        named = exc.detail if isinstance(exc.detail, dict) else {}
        fields = {name: _sentences(detail) for name, detail in named.items()}
        return _response(request, 400, "invalid", _first_sentence(exc.detail), fields)
    if isinstance(exc, exceptions.APIException):
        headers = {}
        if challenge := getattr(exc, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
        if (wait := getattr(exc, "wait", None)) is not None:
            headers["Retry-After"] = str(max(1, int(wait)))
        theirs = str(exc.get_codes() if isinstance(exc.detail, str) else exc.default_code)
        code, sentence = _CODES.get(theirs, theirs), _first_sentence(exc.detail)
        return _response(request, exc.status_code, code, sentence, headers=headers)
    return None  # Django's handler500 makes the JSON, and the log has the traceback


_CODES = {
    "authentication_failed": "token_not_valid",
    "permission_denied": "not_found",
    "error": "internal",
}


def error_response(
    request: HttpRequest,
    status_code: int,
    code: str,
    sentence: str,
    headers: Mapping[str, str] | None = None,
) -> JsonResponse:
    """The same shape for errors outside DRF."""
    body = error_body(code, sentence, getattr(request, "id", ""))
    return JsonResponse(body, status=status_code, headers=headers)


def as_json(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The response itself, or in our shape where it is an error in another shape."""
    if response.status_code < 400 or getattr(response, "is_page", False):
        return response
    if response.get("Content-Type", "").partition(";")[0] == "application/json":
        return response
    code, sentence = _OTHERS.get(response.status_code, ("invalid", MALFORMED))
    if response.status_code == 405:
        sentence = f'Method "{request.method}" not allowed.'
    ours = {name for name in response.headers if name.lower() not in _OF_ITS_BODY}
    headers = {name: response[name] for name in ours}
    answer = error_response(request, response.status_code, code, sentence, headers)
    if hasattr(response, "_has_been_logged"):  # else Django would log it once more
        answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


_OF_ITS_BODY = {"content-type", "content-length", "content-encoding", "content-disposition", "etag"}
_OTHERS = {
    403: ("not_found", NOT_FOUND),
    404: ("not_found", NOT_FOUND),
    405: ("method_not_allowed", ""),
    413: ("too_large", "The body is too large."),
    415: ("unsupported_media_type", "This type of body is not read here."),
    500: ("internal", "Something went wrong here."),
    503: ("unavailable", UNAVAILABLE),
}


def unreadable(status_code: int) -> HttpResponse:
    """For a request that Django cannot read, such as a query that is not text."""
    request = HttpRequest()
    request.id = request_id()  # type: ignore[attr-defined]
    code, sentence = _OTHERS.get(status_code, ("invalid", MALFORMED))
    headers = {"X-Request-Id": request.id}  # type: ignore[attr-defined]
    return error_response(request, status_code, code, sentence, headers)


def handler(status_code: int) -> Callable[..., HttpResponseBase]:
    """A `handler404` of Django's, or another of them."""
    code, sentence = _OTHERS.get(status_code, ("invalid", MALFORMED))

    def handle_error(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
        return error_response(request, status_code, code, sentence)

    return handle_error


def _response(
    request: HttpRequest,
    status_code: int,
    code: str,
    sentence: str,
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = {**(fields or {}), **error_body(code, sentence, getattr(request, "id", ""))}
    return Response(body, status=status_code, headers=headers)


def error_body(code: str, sentence: str, request_id: str) -> dict[str, str]:
    """The body of an error. Each call counts one error of this code."""
    count_error(code)
    return {"error": sentence, "code": code, "detail": sentence, "request_id": request_id}


def request_id(callers: str = "") -> str:
    """The id that the caller gave to its request where that is harmless, else a new one."""
    return callers if _HARMLESS_ID.fullmatch(callers) else secrets.token_hex(8)


_HARMLESS_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _first_sentence(detail: Any) -> str:
    """The first sentence of a form's errors, for a client that shows only one."""
    return next(iter(_sentences(detail)), "The request is not valid.")


def _sentences(detail: Any) -> list[str]:
    """All sentences of a field, also those about the items of a list."""
    if isinstance(detail, dict):
        detail = list(detail.values())
    if isinstance(detail, list):
        return [sentence for inner in detail for sentence in _sentences(inner)]
    return [str(detail)]
