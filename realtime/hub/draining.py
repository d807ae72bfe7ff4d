"""Whether this process is going down: then it is not ready, and sockets that come are sent away."""

_draining = False


def is_draining() -> bool:
    return _draining


def begin_draining() -> None:
    """There is no way back: the process ends."""
    global _draining
    _draining = True
