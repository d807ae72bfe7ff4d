"""The two database reads of every new socket: its login, and the state of its user.

Each is made for all sockets that wait at the same time, in a few statements.
"""

from __future__ import annotations

from collections.abc import Sequence

from accounts.auth.admission import Identity, admit_all
from realtime.clock import clock
from realtime.database import in_database
from realtime.hub.batching import Batcher
from sessions_app.changes import Missed, Seen, active_sessions, missed_by_all
from sessions_app.events import SessionState
from sessions_app.exceptions import NotFound

State = tuple[Missed, SessionState | None]


class Admission:
    """That of one event loop."""

    def __init__(self) -> None:
        self._tokens: Batcher[str, Identity] = Batcher(
            lambda tokens: in_database(admit_all, tokens)
        )
        self._seen: Batcher[Seen, State] = Batcher(lambda seen: in_database(_read_all, seen))

    async def admit(self, token: str) -> Identity:
        """The login of this access token. Raises `TokenNotValid` and the database's errors."""
        return await self._tokens.submit(token)

    async def read_state(self, seen: Seen) -> State:
        """A device's missed changes, and the active session. Raises `NotFound` without the user.

        Changes above the revision in the answer arrive as messages, or by `reconcile.py`.
        """
        return await self._seen.submit(seen)


def _read_all(seen: Sequence[Seen]) -> list[State | NotFound]:
    clock.measure_first()
    missed = missed_by_all(seen)
    active = active_sessions({device.user_id for device in seen})
    return [
        answer if isinstance(answer, NotFound) else (answer, active.get(device.user_id))
        for device, answer in zip(seen, missed, strict=True)
    ]
