"""Why the server closes a socket, and whether to come back: part of the contract with clients."""

from enum import IntEnum


class Close(IntEnum):
    """Only codes that every server library can send. `closing`, sent just before, says the same."""

    MISUSE = 4400  # five bad frames in a minute
    NOT_AUTHENTICATED = 4401  # or no longer: refresh or sign in, then come back
    NOT_ALLOWED = 4403
    TOO_SILENT = 4408  # no `authenticate` in time
    TOO_MANY_SOCKETS = 4409
    FRAME_TOO_LARGE = 4413
    TOO_MANY_FRAMES = 4429
    OUR_FAULT = 4500
    RESTARTING = 4503
    READS_TOO_SLOWLY = 4508

    @property
    def come_back(self) -> bool:
        """Whether the client may do better next time."""
        return self not in {
            Close.MISUSE,
            Close.NOT_ALLOWED,
            Close.TOO_MANY_SOCKETS,
            Close.FRAME_TOO_LARGE,
        }
