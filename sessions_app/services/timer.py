"""The commands of the timer. Each applies one rule of `countdown.py` within the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sessions_app.countdown import Countdown, Status
from sessions_app.events import ChangeKind, SessionState
from sessions_app.exceptions import AnotherSessionIsActive
from sessions_app.ledger import Actor, Turn, turn
from sessions_app.models import Session, in_ms
from sessions_app.services.sky import new_space, sky_of, taken_places

Rule = Callable[[Countdown, datetime], Countdown]


def start(
    session_id: int, *, by: Actor, seen: int | None = None, replace: bool = False
) -> SessionState:
    """Starts a ready session. `replace` finishes the user's other active one first."""
    with turn(by) as t:
        session = t.open(session_id, seen)
        session.countdown.start(t.now)  # its own status is checked before the other session
        if (other := t.other_active(session)) is not None:
            _end_other(t, other, replace)
        session.take(session.countdown.start(t.now), t.now)
        return t.record(session, "started")


def pause(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _apply_rule(session_id, by, seen, Countdown.pause, "paused")


def resume(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _apply_rule(session_id, by, seen, Countdown.resume, "resumed")


def extend(session_id: int, seconds: int, *, by: Actor, seen: int | None = None) -> SessionState:
    """Moves the end by `seconds`. Taking away all that is left finishes the session."""
    length = timedelta(seconds=seconds)

    def rule(countdown: Countdown, now: datetime) -> Countdown:
        return countdown.extend(length, now)

    return _apply_rule(session_id, by, seen, rule, "extended", {"seconds": seconds})


def finish(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _apply_rule(session_id, by, seen, Countdown.finish, "finished")


def cancel(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _apply_rule(session_id, by, seen, Countdown.cancel, "cancelled")


def _apply_rule(
    session_id: int,
    by: Actor,
    seen: int | None,
    rule: Rule,
    kind: ChangeKind,
    data: dict[str, Any] | None = None,
) -> SessionState:
    with turn(by) as t:
        session = t.open(session_id, seen)
        return _record(t, session, rule(session.countdown, t.now), kind, data or {})


def _record(
    t: Turn, session: Session, after: Countdown, kind: ChangeKind, data: dict[str, Any]
) -> SessionState:
    session.take(after, t.now)
    if after.status is Status.FINISHED:
        kind = "finished"  # an extension may have taken away all that was left
    if after.status not in {Status.COMPLETED, Status.FINISHED}:
        return t.record(session, kind, data)
    sky = sky_of(session)
    space = new_space(session, sky=sky, taken=taken_places(session.user_id, sky))
    space.save()
    ended = {"late_ms": in_ms(t.now - space.created_at), "space": space.pk}
    return t.record(session, kind, data | ended, space=space.state())


def _end_other(t: Turn, other: Session, replace: bool) -> None:
    """Ends the other active session, if it is due or `replace` is given."""
    if other.countdown.is_due(t.now):
        _record(t, other, other.countdown.complete(t.now), "completed", {})
    elif replace:
        _record(t, other, other.countdown.finish(t.now), "finished", {})
    else:
        raise AnotherSessionIsActive(state=other.state(t.now))
