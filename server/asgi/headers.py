"""The security headers of every answer, in one place.

This application is around all others, so that probes, early errors and errors of Django have the
headers too. A header that an answer has already stays: the page, the docs and the admin have
policies of their own, and files may be cached.

- Content-Security-Policy: an answer for programs may not be run or framed, and loads nothing.
- Cache-Control: no cache keeps tokens or personal data. (An `ETag` is still for `If-Match`.)
- Cross-Origin-Resource-Policy: other origins may show our pictures; the rest by CORS only.
- Referrer-Policy: other sites do not get the address of a page. (A link that resets a password has
  its token after the `#`, which is in no referrer.) Not `no-referrer`: then the forms of the admin
  would come from the origin `null`.
- Strict-Transport-Security: where HTTPS is on, also for answers that do not come from Django.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from realtime.hub.draining import is_draining
from server.asgi.types import App, Receive, Send

Pairs = list[tuple[bytes, bytes]]

_EVERYWHERE = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": settings.SECURE_REFERRER_POLICY.encode(),
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
_PICTURES = (settings.MEDIA_URL, "/static/")
_PERMISSIONS = b", ".join(
    name + b"=()"
    for name in (
        *(b"accelerometer", b"camera", b"display-capture", b"geolocation", b"gyroscope"),
        *(b"magnetometer", b"microphone", b"midi", b"payment", b"usb"),
    )
)


class Headers:
    """An ASGI application that completes the answers of another one."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        async def send_completed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": completed(scope, message.get("headers", ()))}
            await send(message)

        await self.app(scope, receive, send_completed)


def completed(scope: Any, given: Any) -> Pairs:
    """The headers of an answer, with those that it lacks."""
    headers: Pairs = list(given)
    names = {name.lower(): value for name, value in headers}
    wanted = dict(_EVERYWHERE)
    if scope["path"].startswith(_PICTURES):
        wanted[b"cross-origin-resource-policy"] = b"cross-origin"
    if names.get(b"content-type", b"").startswith(b"text/html"):
        wanted[b"permissions-policy"] = _PERMISSIONS
    if (hsts := _hsts(scope)) is not None:
        wanted[b"strict-transport-security"] = hsts
    if is_draining():  # else a client's next request may meet a closed connection
        wanted[b"connection"] = b"close"
    return headers + [(name, value) for name, value in wanted.items() if name not in names]


def _hsts(scope: Any) -> bytes | None:
    """Only over HTTPS, by the server's own knowledge or by the header of a trusted proxy."""
    if not settings.SECURE_HSTS_SECONDS:
        return None
    forwarded = settings.SECURE_PROXY_SSL_HEADER and dict(scope["headers"]).get(
        b"x-forwarded-proto"
    )
    if (forwarded or scope.get("scheme", "http").encode()) != b"https":
        return None
    return b"max-age=%d; includeSubDomains; preload" % settings.SECURE_HSTS_SECONDS
