"""Close codes of the server, and whether to reconnect: part of the contract with clients."""

from enum import IntEnum


class Close(IntEnum):
    """Only codes that every server library can send. The frame `closing` comes just before."""

    MISUSE = 4400  # five bad frames in a minute
    NOT_AUTHENTICATED = 4401  # or no longer: refresh or sign in, then reconnect
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
        """Whether a new connection can help."""
        return self not in {
            Close.MISUSE,
            Close.NOT_ALLOWED,
            Close.TOO_MANY_SOCKETS,
            Close.FRAME_TOO_LARGE,
        }
