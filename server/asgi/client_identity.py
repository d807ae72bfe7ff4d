"""Whose request it is, as far as one can tell on the event loop: without the database.

Enough to share room fairly. Whether the login of a token still stands, the view asks.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from functools import lru_cache
from typing import Any

from accounts.auth.tokens import LEEWAY, AccessToken, Claims  # or a picture would be thrown away,
from accounts.exceptions import TokenNotValid
from realtime.clock import clock  # and its request let in without it
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
    return user_id if clock.now() < expires_at + LEEWAY else None


@lru_cache(maxsize=4096)  # a device sends the same one all day; what is not valid is not kept
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
