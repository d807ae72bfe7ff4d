"""What every request passes: an id that the log and an error share, and a limit on its body."""

import re
import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.bodies import limit_of
from config.errors import error_response

GetResponse = Callable[[HttpRequest], HttpResponse]
_CALLERS_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Takes a caller's `X-Request-Id` where it is harmless, else makes one, and answers with it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request.id = given if _CALLERS_OWN_ID.fullmatch(given) else secrets.token_hex(8)  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request.id  # type: ignore[attr-defined]
        return response


class Utf8:
    """Text is UTF-8, whatever `charset` says: Python's include some that are none, such as zlib."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.encoding is not None:
            request.encoding = "utf-8"
        return self.get_response(request)


class BodyLimit:
    """413 for a body over its limit. It has been thrown away by now (`bodies.py`)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit = limit_of(request.path)
        length = request.headers.get("Content-Length", "0")
        if length.isdigit() and int(length) > limit:
            sentence = f"The body may have at most {limit} bytes."
            return error_response(request, 413, "too_large", sentence)
        return self.get_response(request)
