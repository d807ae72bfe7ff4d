"""Identifies the client of a request on the event loop, without the database.

That is enough to share threads fairly. Whether the token's login still stands, the view checks.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from functools import lru_cache
from typing import Any

from accounts.auth.tokens import LEEWAY, AccessToken, Claims
from accounts.exceptions import TokenNotValid
from realtime.clock import clock
from runtime.client_address import client_address, network_of


def client_of(scope: Any) -> Hashable:
    """The user of a good token, else the network that the request comes from."""
    return user_of(scope) or _network(scope)


def user_of(scope: Any) -> int | None:
    """The user whose access token the request carries: signed by us, and not expired."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, token = value.partition(b" ")
            return _user(token) if kind.lower() == b"bearer" else None
    return None


def _user(token: bytes) -> int | None:
    try:
        user_id, expires_at = _claims(token)
    except TokenNotValid:
        return None
    # With the same leeway as the view: else a picture is discarded, and its request let in.
    return user_id if clock.now() < expires_at + LEEWAY else None


@lru_cache(maxsize=4096)  # a device sends one token all day; an invalid one is not kept
def _claims(token: bytes) -> tuple[int, datetime]:
    claims = Claims.of(AccessToken, token.decode("latin-1"))
    return claims.user_id, claims.expires_at


def _network(scope: Any) -> str:
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    address, _ = scope.get("client") or ("", 0)
    return network_of(
        client_address(
            {
                "HTTP_X_FORWARDED_FOR": b",".join(forwarded).decode("latin-1"),
                "REMOTE_ADDR": address,
            }
        )
    )
