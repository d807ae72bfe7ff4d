"""What every answer says about how browsers may use it, in one place.

Around everything that speaks HTTP, so that probes, refusals before Django and errors have it too.
What an answer says itself stays: the page, the docs and the admin have policies of their own, files
may be cached.

- Content-Security-Policy: nothing may run, load or frame what is meant for programs.
- Cache-Control: tokens and personal data are kept by nobody. (An `ETag` is still for `If-Match`.)
- Cross-Origin-Resource-Policy: pages elsewhere may show our pictures; the rest by CORS only.
- Referrer-Policy: other sites do not hear where one was. (A link that resets a password has its
  token after the `#`, which is in no referrer.) Not `no-referrer`: then the forms of the admin
  would come from the origin `null`.
- Strict-Transport-Security: where HTTPS is on, also for what does not come through Django.
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
    """An ASGI application: the other one, its answers completed."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        async def send_completed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": completed(scope, message.get("headers", ()))}
            await send(message)

        await self.app(scope, receive, send_completed)


def completed(scope: Any, said: Any) -> Pairs:
    """The headers of an answer, with those that it left out."""
    headers: Pairs = list(said)
    names = {name.lower(): value for name, value in headers}
    wanted = dict(_EVERYWHERE)
    if scope["path"].startswith(_PICTURES):
        wanted[b"cross-origin-resource-policy"] = b"cross-origin"
    if names.get(b"content-type", b"").startswith(b"text/html"):
        wanted[b"permissions-policy"] = _PERMISSIONS
    if (hsts := _hsts(scope)) is not None:
        wanted[b"strict-transport-security"] = hsts
    if is_draining():  # or a client's next request meets a connection that has just been closed
        wanted[b"connection"] = b"close"
    return headers + [(name, value) for name, value in wanted.items() if name not in names]


def _hsts(scope: Any) -> bytes | None:
    """Only over HTTPS: by what the server knows, or the proxy says whom Django believes."""
    if not settings.SECURE_HSTS_SECONDS:
        return None
    proxys = settings.SECURE_PROXY_SSL_HEADER and dict(scope["headers"]).get(b"x-forwarded-proto")
    if (proxys or scope.get("scheme", "http").encode()) != b"https":
        return None
    return b"max-age=%d; includeSubDomains; preload" % settings.SECURE_HSTS_SECONDS
