"""The commands of the timer by name, with their arguments: one table for REST and sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sessions_app import services
from sessions_app.events import SessionState
from sessions_app.exceptions import InvalidInput
from sessions_app.idempotency import Outcome, once
from sessions_app.ledger import Actor

DAY_S = 86_400

Arguments = Mapping[str, Any]
Command = Callable[[int, Actor, int | None, Arguments], SessionState]


def command(
    action: str,
    session_id: int,
    arguments: Arguments,
    *,
    by: Actor,
    seen: int | None = None,
    key: str | None = None,
) -> Outcome[SessionState]:
    """Does `action` (a key of `ACTIONS`) on the session, once for each `key`.

    Raises `InvalidInput` for arguments of a wrong kind, and the errors of the service.
    """
    given = _checked(action, arguments)
    request = {"action": action, "session": session_id, "seen": seen, **given}
    return once(
        by.user_id,
        key,
        request,
        lambda: ACTIONS[action](session_id, by, seen, given),
        SessionState,
    )


def _checked(action: str, arguments: Arguments) -> dict[str, Any]:
    """Only the arguments of this action, each of its kind."""
    if action == "start":
        replace = arguments.get("replace", False)
        if not isinstance(replace, bool):
            raise InvalidInput({"replace": ["Must be true or false."]})
        return {"replace": replace}
    if action == "extend":
        seconds = arguments.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int) or abs(seconds) > DAY_S:
            raise InvalidInput(
                {"seconds": [f"A whole number from -{DAY_S} to {DAY_S} is required."]}
            )
        return {"seconds": seconds}
    return {}


ACTIONS: dict[str, Command] = {
    "start": lambda pk, by, seen, a: services.start(pk, by=by, seen=seen, replace=a["replace"]),
    "pause": lambda pk, by, seen, a: services.pause(pk, by=by, seen=seen),
    "resume": lambda pk, by, seen, a: services.resume(pk, by=by, seen=seen),
    "extend": lambda pk, by, seen, a: services.extend(pk, a["seconds"], by=by, seen=seen),
    "finish": lambda pk, by, seen, a: services.finish(pk, by=by, seen=seen),
    "cancel": lambda pk, by, seen, a: services.cancel(pk, by=by, seen=seen),
}
