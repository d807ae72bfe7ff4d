"""The query of lists: pages and statuses."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.api.paging import listed
from sessions_app.countdown import Status
from sessions_app.exceptions import InvalidInput

__all__ = ["listed", "statuses"]


def statuses(request: Request) -> list[str] | None:
    """The statuses in `?status=ready,paused`; None, for all, without it."""
    given = request.query_params.get("status")
    if given is None:
        return None
    known = [status.value for status in Status]
    asked = given.split(",")
    if unknown := [name for name in asked if name not in known]:
        raise InvalidInput({"status": [f"{unknown[0][:20]!r} is not one of {', '.join(known)}."]})
    return asked
