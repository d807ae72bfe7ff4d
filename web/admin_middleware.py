"""The admin at `/admin/`, and only there: sessions by cookie, CSRF, messages, its own policy.

The API knows no cookies. So each of Django's middlewares that the admin needs does nothing
elsewhere: a request of the API neither reads a cookie nor gets one, and pays four calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.html import format_html

from accounts.exceptions import TooManyRequests
from runtime.database.pool import is_away, renew_connections
from web.errors import error_response

PREFIX = "/admin/"
# Django's admin has no inline script or style on the pages that are used here.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

if TYPE_CHECKING:
    from django.utils.deprecation import MiddlewareMixin as _Middleware
else:
    _Middleware = object


def is_staffs(request: HttpRequest) -> bool:
    return request.path_info.startswith(PREFIX)


class _OnlyThere(_Middleware):
    def __call__(self, request: HttpRequest) -> Any:
        if is_staffs(request):
            return super().__call__(request)
        assert self.get_response is not None
        return self.get_response(request)


class AdminSessions(_OnlyThere, SessionMiddleware):
    """The first of them: it also says what its pages may do, and what to tell whom it refuses."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        response.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return super().process_response(request, response)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Whatever page it was."""
        if not is_staffs(request):
            return None
        if isinstance(error, TooManyRequests):
            wait_s = max(1, error.retry_after_s)
            sentence = f"Too many attempts. Try again in {wait_s} seconds."
            return _told(request, 429, "throttled", sentence, {"Retry-After": str(wait_s)})
        if isinstance(error, DatabaseError) and is_away(error):
            renew_connections(error)
            sentence = "The service is not available for a moment."
            return _told(request, 503, "unavailable", sentence, {"Retry-After": "2"})
        return None


class Csrf(_OnlyThere, CsrfViewMiddleware):
    def process_view(self, request: HttpRequest, *args: Any) -> Any:
        return super().process_view(request, *args) if is_staffs(request) else None


class Authentication(_OnlyThere, AuthenticationMiddleware):
    pass


class Messages(_OnlyThere, MessageMiddleware):
    pass


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Said to who had cookies off, or a page open for too long."""
    sentence = "This form was not sent from our page, or the page was too old. Load it again."
    return _told(request, 403, "csrf_failed", sentence, {})


def _told(
    request: HttpRequest, status: int, code: str, sentence: str, headers: dict[str, str]
) -> HttpResponse:
    """A page for people, JSON for programs."""
    if "text/html" not in request.headers.get("Accept", ""):
        return error_response(request, status, code, sentence, headers)
    title = "Not now" if status != 403 else "Not sent"
    html = format_html(
        '<!doctype html><html lang="en"><title>{}</title><h1>{}</h1><p>{}</p></html>',
        *(title, title, sentence),
    )
    answer = HttpResponse(html, status=status, headers=headers)
    answer.for_people = True  # type: ignore[attr-defined]
    return answer
