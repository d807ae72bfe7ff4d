"""The settings, but the kernel keeps little of what a client does not read.

Whatever a server listens on gets the small buffer, and connections have it from there.
"""

import socket

from config.settings import *  # noqa: F403

_bind = socket.socket.bind


def _with_a_small_buffer(listener: socket.socket, address: object) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    _bind(listener, address)  # type: ignore[arg-type]


socket.socket.bind = _with_a_small_buffer  # type: ignore[assignment,method-assign]
