"""The client's commands, run by the same functions as over REST, and their answers as frames."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import Error as DatabaseError

from realtime.database import in_database
from realtime.protocol.messages import Ack, Command, Error
from runtime.database.pool import is_transient
from sessions_app.commands import command
from sessions_app.events import SessionState
from sessions_app.exceptions import SessionError
from sessions_app.ledger import Actor

log = logging.getLogger(__name__)


async def perform(
    frame: Command, by: Actor, on_done: Callable[[SessionState], None]
) -> Ack | Error:
    """Runs a command, and gives its answer. An acknowledged change is stored.

    `on_done` is called with the new state, and not for a stored answer that is repeated.
    """
    arguments: dict[str, Any] = {"seconds": frame.seconds}
    if frame.replace is not None:
        arguments["replace"] = frame.replace
    try:
        outcome = await in_database(
            command,
            frame.action,
            frame.session,
            arguments,
            by=by,
            seen=frame.version,
            key=frame.key,
        )
    except SessionError as refusal:
        return refused(frame.id, refusal)
    except Exception as error:
        if isinstance(error, DatabaseError) and is_transient(error):
            what = (frame.action, frame.session, error)
            log.error("%s of session %s found the database unavailable: %s", *what)
            return unavailable(frame.id)
        log.exception("%s of session %s failed", frame.action, frame.session)
        return Error(id=frame.id, code="internal", message="Something went wrong here.")
    state = outcome.state
    if not outcome.repeated:
        on_done(state)
    return Ack(id=frame.id, session=state.id, version=state.timer.version, state=state)


def unavailable(frame_id: str | None) -> Error:
    """The client may repeat the command with the same key."""
    return Error(id=frame_id, code="unavailable", message="Try again in a moment.")


def refused(frame_id: str | None, refusal: SessionError) -> Error:
    """The one translation of the domain's errors to the socket."""
    state = refusal.state
    return Error(
        id=frame_id,
        code=refusal.code,
        message=str(refusal),
        session=state.id if state else None,
        version=state.timer.version if state else None,
        state=state,
    )
