"""Plain arrays, paged on request: `?limit=&cursor=`, with the next page in `Link` (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from django.conf import settings
from django.db.models import Model, QuerySet
from django.http import HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from accounts.limits import REQUESTS

LARGEST_PAGE = 1_000
# Bytes: a longer answer counts as several requests. The longest list of sessions counts as some 50
# requests then, and ten tabs may load it at once.
BYTES_PER_REQUEST = 128 * 1024

M = TypeVar("M", bound=Model)


def listed(
    request: Request, rows: QuerySet[M], show: Callable[[M], Any], *, newest_first: bool = False
) -> HttpResponse:
    """An array with `show` of each row, by id. Without `limit`, all of them.

    Read and encoded slice by slice: ten thousand sessions at once would take 110 MiB. A long one
    counts as several requests of its user, or the limit on those would bound no work.
    """
    rows = rows.order_by("-pk" if newest_first else "pk")
    behind = "pk__lt" if newest_first else "pk__gt"
    limit = _number(request, "limit", LARGEST_PAGE)
    cursor = _number(request, "cursor", 2**63 - 1)
    size = limit or LARGEST_PAGE
    encoded: list[bytes] = []
    headers: dict[str, str] = {}
    while True:
        found = list((rows if cursor is None else rows.filter(**{behind: cursor}))[: size + 1])
        encoded += [msgspec.json.encode(show(row)) for row in found[:size]]
        if len(found) <= size:
            break
        cursor = found[size - 1].pk
        if limit is not None:
            headers["Link"] = f'<{_next(request, limit, cursor)}>; rel="next"'
            break
    body = b"[" + b",".join(encoded) + b"]"
    REQUESTS.charge(request.user.pk, len(body) // BYTES_PER_REQUEST)
    return HttpResponse(body, content_type="application/json", headers=headers)


def _next(request: Request, limit: int, cursor: Any) -> str:
    asked = request.query_params.copy()  # a filter holds for the next page too
    asked["limit"], asked["cursor"] = str(limit), str(cursor)
    path = f"{request.path}?{asked.urlencode()}"
    return (
        f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)
    )


def _number(request: Request, name: str, largest: int) -> int | None:
    given = request.query_params.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 20 and 1 <= int(given) <= largest):
        raise ValidationError({name: [f"A whole number from 1 to {largest} is required."]})
    return int(given)
