"""The timer: each command is one rule of `countdown.py`, on the one path of every change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sessions_app.countdown import Countdown, Status
from sessions_app.events import Cause, SessionState
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
        session.countdown.start(t.now)  # refused for what it is, before another's being active
        if (other := t.other_active(session)) is not None:
            _make_way(t, other, replace)
        session.take(session.countdown.start(t.now), t.now)
        return t.record(session, "started")


def pause(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _change(session_id, by, seen, Countdown.pause, "paused")


def resume(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _change(session_id, by, seen, Countdown.resume, "resumed")


def extend(session_id: int, seconds: int, *, by: Actor, seen: int | None = None) -> SessionState:
    """Moves the end by `seconds`. Taking away all that is left finishes the session."""
    length = timedelta(seconds=seconds)

    def rule(countdown: Countdown, now: datetime) -> Countdown:
        return countdown.extend(length, now)

    return _change(session_id, by, seen, rule, "extended", {"seconds": seconds})


def finish(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _change(session_id, by, seen, Countdown.finish, "finished")


def cancel(session_id: int, *, by: Actor, seen: int | None = None) -> SessionState:
    return _change(session_id, by, seen, Countdown.cancel, "cancelled")


def _change(
    session_id: int,
    by: Actor,
    seen: int | None,
    rule: Rule,
    kind: Cause,
    data: dict[str, Any] | None = None,
) -> SessionState:
    with turn(by) as t:
        session = t.open(session_id, seen)
        return _apply(t, session, rule(session.countdown, t.now), kind, data)


def _apply(
    t: Turn, session: Session, after: Countdown, kind: Cause, data: dict[str, Any] | None = None
) -> SessionState:
    session.take(after, t.now)
    if after.status is Status.FINISHED:
        kind = "finished"  # an extension may have taken away all that was left
    if after.status not in {Status.COMPLETED, Status.FINISHED}:
        return t.record(session, kind, data)
    late_ms = in_ms(t.now - after.ended_at) if after.ended_at else 0
    sky = sky_of(session)
    space = new_space(session, sky=sky, taken=taken_places(session.user_id, sky))
    space.save()
    return t.record(
        session,
        kind,
        (data or {}) | {"late_ms": late_ms, "space": space.pk},
        space=space.state(),
        late_ms=late_ms,
    )


def _make_way(t: Turn, other: Session, replace: bool) -> None:
    """Ends the other active session: it is over anyhow, or the sender wants it replaced."""
    if other.countdown.is_due(t.now):
        _apply(t, other, other.countdown.complete(t.now), "completed")
    elif replace:
        _apply(t, other, other.countdown.finish(t.now), "finished")
    else:
        raise AnotherSessionIsActive(state=other.state(t.now))
