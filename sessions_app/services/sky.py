"""Makes the star or planet of an ended session, in the transaction that ends it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta

from django.conf import settings

from sessions_app import sky as spaces
from sessions_app.models import Session, Space


def new_space(
    session: Session, *, sky: date, taken: Sequence[spaces.Place], seed: int | None = None
) -> Space:
    """The star or planet of a session that has just ended, not saved yet.

    `sky`: of `sky_of`; `taken`: the centres of the bodies there. `seed`: random if None.
    """
    assert session.ended_at is not None
    assert session.focused_ms is not None
    seed = random.getrandbits(31) if seed is None else seed  # not a secret
    body = spaces.body(
        timedelta(milliseconds=session.focused_ms),
        seed=seed,
        star_up_to=timedelta(minutes=settings.STAR_UP_TO_MINUTES),
        taken=taken,
    )
    return Space(
        user_id=session.user_id,
        session=session,
        type=body.type,
        sky=sky,
        seed=seed,
        x=body.x,
        y=body.y,
        radius=body.radius,
        hue=body.hue,
        look=body.look,
        created_at=session.ended_at,
    )


def sky_of(session: Session) -> date:
    """The first day of the month in which the session ended, in the user's days."""
    assert session.ended_at is not None
    return spaces.month_of(
        session.ended_at, zone=session.user.time_zone, day_start=session.user.day_start
    )


def taken_places(user_id: int, sky: date) -> list[spaces.Place]:
    """The centres of the bodies in this sky of the user."""
    return list(Space.objects.filter(user_id=user_id, sky=sky).values_list("x", "y"))
