"""Serves the page at `/`, and pictures that users have stored."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils._os import safe_join
from django.views.decorators.http import require_safe

from web.errors import error_response

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)


def page(request: HttpRequest) -> HttpResponse:
    if request.method not in {"GET", "HEAD"}:
        sentence = f'Method "{request.method}" not allowed.'
        return error_response(request, 405, "method_not_allowed", sentence, {"Allow": "GET, HEAD"})
    response = HttpResponse(_html())
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response["Cache-Control"] = "no-cache"  # it names the hash of the files, which are immutable
    return response


@require_safe
def icon(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(f"{settings.STATIC_URL}icon.svg")


@cache
def _html() -> str:
    html = (Path(settings.BASE_DIR) / "client" / "index.html").read_text()
    return html.replace("{{ static }}", settings.STATIC_URL)


@require_safe
def media(request: HttpRequest, name: str) -> HttpResponse:
    """A stored picture, which another origin may show but which can do nothing."""
    try:
        path = Path(safe_join(settings.MEDIA_ROOT, name))
    except SuspiciousFileOperation:
        raise Http404 from None
    try:
        response = HttpResponse(path.read_bytes(), content_type="image/webp")
    except (OSError, ValueError):  # missing, a folder, or an impossible name
        raise Http404 from None
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    return response
