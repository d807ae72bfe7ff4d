"""Django's middlewares for the admin: sessions by cookie, CSRF, messages, its own policy.

They act at `/admin/` only. The API uses no cookies: a request of the API neither reads a cookie
nor gets one, and pays four calls.
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
from runtime.database.pool import is_transient, recover_pool
from web.errors import RETRY_AFTER_S, UNAVAILABLE, error_response

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


def is_for_admin(request: HttpRequest) -> bool:
    return request.path_info.startswith(PREFIX)


class _AdminOnly(_Middleware):
    def __call__(self, request: HttpRequest) -> Any:
        if is_for_admin(request):
            return super().__call__(request)
        assert self.get_response is not None
        return self.get_response(request)


class AdminSessions(_AdminOnly, SessionMiddleware):
    """The first of them: it also sets the policy of its pages, and answers refused requests."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        response.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return super().process_response(request, response)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not is_for_admin(request):
            return None
        if isinstance(error, TooManyRequests):
            wait_s = max(1, error.retry_after_s)
            sentence = f"Too many attempts. Try again in {wait_s} seconds."
            return _refuse(request, 429, "throttled", sentence, {"Retry-After": str(wait_s)})
        if isinstance(error, DatabaseError) and is_transient(error):
            recover_pool(error)
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            return _refuse(request, 503, "unavailable", UNAVAILABLE, headers)
        return None


class Csrf(_AdminOnly, CsrfViewMiddleware):
    def process_view(self, request: HttpRequest, *args: Any) -> Any:
        return super().process_view(request, *args) if is_for_admin(request) else None


class Authentication(_AdminOnly, AuthenticationMiddleware):
    pass


class Messages(_AdminOnly, MessageMiddleware):
    pass


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """For a browser without cookies, or a page that was open for too long."""
    sentence = "This form was not sent from our page, or the page was too old. Load it again."
    return _refuse(request, 403, "csrf_failed", sentence, {})


def _refuse(
    request: HttpRequest, status: int, code: str, sentence: str, headers: dict[str, str]
) -> HttpResponse:
    """An HTML page for browsers, JSON for programs."""
    if "text/html" not in request.headers.get("Accept", ""):
        return error_response(request, status, code, sentence, headers)
    title = "Not now" if status != 403 else "Not sent"
    html = format_html(
        '<!doctype html><html lang="en"><title>{}</title><h1>{}</h1><p>{}</p></html>',
        *(title, title, sentence),
    )
    response = HttpResponse(html, status=status, headers=headers)
    response.is_page = True  # type: ignore[attr-defined]
    return response
