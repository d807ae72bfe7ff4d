"""States as a request's answer shows them: pictures have absolute URLs."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from rest_framework.request import Request

from sessions_app.changes import Change, Missed
from sessions_app.events import SessionState, SpaceState

S = TypeVar("S", bound=SessionState | SpaceState)


def shown(request: Request, state: SessionState | SpaceState) -> Any:
    """As JSON, its picture with an absolute URL (of the request's host without a PUBLIC_URL)."""
    return absolute(request, state).as_json()


def shown_changes(request: Request, missed: Missed) -> Any:
    """As JSON, with the states within as `shown` gives them."""
    changes = [_change(request, change) for change in missed.changes]
    return msgspec.structs.replace(missed, changes=changes).as_json()


def _change(request: Request, change: Change) -> Change:
    return msgspec.structs.replace(
        change,
        state=change.state and absolute(request, change.state),
        space=change.space and absolute(request, change.space),
    )


def absolute(request: Request, state: S) -> S:
    """With the absolute URL of its picture."""
    if state.image is None or not state.image.startswith("/"):
        return state
    return msgspec.structs.replace(state, image=request.build_absolute_uri(state.image))
