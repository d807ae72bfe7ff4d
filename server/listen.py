"""The sockets that several processes listen on, opened before any of them starts.

On Linux each process has its own for the same port, and the kernel spreads connections over them.
Elsewhere all share one, and the first process to accept takes the connection.
"""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from itertools import chain

BACKLOG = 4096
OWN_SOCKETS = sys.platform == "linux"


def listeners(host: str, port: int, processes: int) -> list[list[socket.socket]]:
    """For each process the sockets to listen on: one for each address of `host`.

    They listen already: connections wait until the process has started. Raises `OSError`.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = [(family, address) for family, _, _, _, address in dict.fromkeys(found)]
    for family, address in addresses:
        # With SO_REUSEPORT binding would succeed beside a socket of another program.
        _bound(family, address, shared=False).close()
    with ExitStack() as opened:  # closes them where one cannot be opened
        sets = [
            [opened.enter_context(_bound(*where, shared=OWN_SOCKETS)) for where in addresses]
            for _ in range(processes if OWN_SOCKETS else 1)
        ]
        for listener in chain.from_iterable(sets):
            listener.listen(BACKLOG)
        opened.pop_all()
    return sets if OWN_SOCKETS else sets * processes


def _bound(family: int, address: object, *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind(address)  # type: ignore[arg-type]
    except OSError:
        listener.close()
        raise
    return listener
