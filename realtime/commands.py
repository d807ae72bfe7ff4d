"""The client's commands, done by the same functions as over REST, and their answers as frames."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import Error as DatabaseError

from realtime.messages import Ack, Command, Error
from sessions_app.commands import command
from sessions_app.exceptions import SessionError
from sessions_app.ledger import Actor

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

# Threads of the sockets' own. Channels would run all of them, one at a time, on the one thread that
# it shares with every dispatch: a slow query would delay every tick.
_executor = ThreadPoolExecutor(max_workers=8, thread_name_prefix="socket")


async def in_database(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs what asks the database on the sockets' own threads."""
    ask = database_sync_to_async(function, thread_sensitive=False, executor=_executor)
    result: R = await ask(*args, **kwargs)
    return result


async def perform(frame: Command, by: Actor) -> Ack | Error:
    """The answer to a command. What was acknowledged is stored."""
    arguments: dict[str, Any] = {"seconds": frame.seconds}
    if frame.replace is not None:
        arguments["replace"] = frame.replace
    try:
        state = await in_database(
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
    except DatabaseError as error:
        log.error("a command found the database unavailable: %s", error)
        return Error(id=frame.id, code="unavailable", message="Try again in a moment.")
    except Exception:
        log.exception("a command failed")
        return Error(id=frame.id, code="internal", message="Something went wrong here.")
    return Ack(id=frame.id, session=state.id, version=state.timer.version, state=state)


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
