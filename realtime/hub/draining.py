"""Whether this process is shutting down: it is not ready then, and closes new sockets."""

_draining = False


def is_draining() -> bool:
    return _draining


def begin_draining() -> None:
    """There is no way back: the process ends."""
    global _draining
    _draining = True
