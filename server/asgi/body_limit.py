"""Answers a body over its limit, as a Django middleware: so the answer has all headers."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from server.asgi.bodies import limit_of
from web.errors import error_response

GetResponse = Callable[[HttpRequest], HttpResponse]


class BodyLimit:
    """413 for a body over its limit. `bodies.py` has discarded it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit = limit_of(request.path)
        length = request.headers.get("Content-Length", "0")
        if length.isdigit() and int(length) > limit:
            sentence = f"The body may have at most {limit} bytes."
            return error_response(request, 413, "too_large", sentence)
        return self.get_response(request)
