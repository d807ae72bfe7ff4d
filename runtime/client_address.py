"""The address and the network of a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

SITE_BITS = 64  # of an IPv6 address: a client that has one address of a site has them all
NO_NETWORK = "-"  # in place of the network of a request without an address

_current: ContextVar[str | None] = ContextVar("client_network", default=None)


class ClientNetworkMiddleware:
    """Middleware: `current_network` gives the client's network while a request is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _current.set(network_of(client_address(request.META)))
        try:
            return self.get_response(request)
        finally:
            _current.reset(token)


def current_network() -> str | None:
    """The network of the request that this thread answers. None where it answers none."""
    return _current.get()


def client_address(meta: Mapping[str, Any]) -> str | None:
    """The client's IP address from `request.META`, None where there is none (a Unix socket).

    Clients can send any `X-Forwarded-For`. Only the entries that our own proxies appended,
    counted from the right, are used.
    """
    proxies: int = settings.TRUSTED_PROXIES
    hops = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < proxies <= len(hops) and (address := _valid(hops[-proxies])):
        return address
    return _valid(meta.get("REMOTE_ADDR") or "")


def network_of(address: str | None) -> str:
    """The network that an address counts for in limits: itself, or its /64 where it is IPv6."""
    if address is None:
        return NO_NETWORK
    first, last = bounds_of(address)
    return first if first == last else f"{first}/{SITE_BITS}"


def bounds_of(network: str) -> tuple[str, str]:
    """The first and the last address of the network of an address, or of a network."""
    parsed = ip_address(network.partition("/")[0])
    if isinstance(parsed, IPv4Address):
        return str(parsed), str(parsed)
    site = IPv6Network((int(parsed), SITE_BITS), strict=False)
    return str(site[0]), str(site[-1])


def _valid(text: str) -> str | None:
    try:
        address = ip_address(text.strip().partition("%")[0])  # the zone of fe80::1%eth0 is ours
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # or all of IPv4 would be one network
    return str(address)
