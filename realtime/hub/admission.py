"""The two questions of every socket that comes in: who is it, and where do things stand?

Each is asked for all sockets that wait at the same time, in a few statements.
"""

from __future__ import annotations

from collections.abc import Sequence

from accounts.auth.admission import Identity, admit_all
from realtime.clock import clock
from realtime.database import in_database
from realtime.hub.batching import Batches
from sessions_app.changes import Missed, Seen, active_sessions, missed_by_all
from sessions_app.events import SessionState
from sessions_app.exceptions import NotFound

Standing = tuple[Missed, SessionState | None]


class Entrance:
    """One per event loop; the hub has it."""

    def __init__(self) -> None:
        self._tokens: Batches[str, Identity] = Batches(
            lambda tokens: in_database(admit_all, tokens)
        )
        self._seen: Batches[Seen, Standing] = Batches(lambda seen: in_database(_read_all, seen))

    async def admit(self, token: str) -> Identity:
        """Who presents this access token. Raises `TokenNotValid` and the database's errors."""
        return await self._tokens.ask(token)

    async def where_things_stand(self, seen: Seen) -> Standing:
        """What a device missed, and its user's active session. Raises `NotFound` if they are gone.

        What is newer than the revision in the answer is told by a message, or by `reconcile`.
        """
        return await self._seen.ask(seen)


def _read_all(seen: Sequence[Seen]) -> list[Standing | NotFound]:
    clock.measure_first()
    missed = missed_by_all(seen)
    active = active_sessions({device.user_id for device in seen})
    return [
        answer if isinstance(answer, NotFound) else (answer, active.get(device.user_id))
        for device, answer in zip(seen, missed, strict=True)
    ]
