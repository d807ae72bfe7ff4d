"""Where a request comes from."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from django.conf import settings


def client_address(meta: Mapping[str, Any]) -> str | None:
    """The client's IP address from `request.META`, None where there is none (a Unix socket).

    Anybody can send `X-Forwarded-For`; only what our own proxies appended, counted from the
    right, is believed.
    """
    proxies: int = settings.TRUSTED_PROXIES
    hops = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < proxies <= len(hops) and (address := _valid(hops[-proxies])):
        return address
    return _valid(meta.get("REMOTE_ADDR") or "")


def _valid(text: str) -> str | None:
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return None
