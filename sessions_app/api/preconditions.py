"""Reads the version that a client has seen, the idempotency key, and the actor of a request."""

from __future__ import annotations

import re

from rest_framework.request import Request

from accounts.api.base import admitted
from sessions_app.exceptions import InvalidInput
from sessions_app.idempotency import LONGEST_KEY
from sessions_app.ledger import Actor

_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"', re.ASCII)


def actor(request: Request) -> Actor:
    """The user and the device of the request's login."""
    admission = admitted(request)
    return Actor(user_id=admission.user.pk, device=admission.login.device)


def version_seen(request: Request) -> int | None:
    """The version in `If-Match: "7"`, or `"version": 7` in the body. None: do not check."""
    in_body = _version_in_body(request)  # checked even where the header has one
    header = request.headers.get("If-Match")
    if header is not None and header.strip() != "*":
        match = _ETAG.fullmatch(header.strip())
        if match is None:
            raise InvalidInput({"If-Match": ['One version in quotes is required, such as "7".']})
        return int(match[1])
    return in_body


def _version_in_body(request: Request) -> int | None:
    version = request.data.get("version") if isinstance(request.data, dict) else None
    if version is None:
        return None
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version < 2**63:
        raise InvalidInput({"version": ["A whole number is required."]})
    return version


def idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key`, if the client sent one."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidInput({"Idempotency-Key": [f"1 to {LONGEST_KEY} characters are required."]})
    return key
