"""What a user would pick instead of Space for ticks, each as its own community would write it.

    group_send (pub/sub)        Channels, one `group_send` a session a second, pub/sub layer
    group_send (core)           the same over channels_redis's other layer, the default one
    sleep loop per socket       Channels, each consumer sleeps to its next second and sends
    Node ws                     one timer a session, encoded once, a loop over its sockets
    socket.io (no adapter)      one timer a session, rooms, `io.to(room).emit`
    socket.io (Redis adapter)   the same with @socket.io/redis-adapter, as several servers need it
    websockets.broadcast        Python's websockets on uvloop, one task a session
    raw C                       epoll and one send() a socket: what the kernel alone costs

A peer is one process that listens on 127.0.0.1:PORT, prints `ready` when it does, and ends on
SIGTERM. A device connects to `/?session=S`, and receives a tick each second at the session's own
phase (see `ticks.py`). No device signs in: that cost is Space's alone.
"""

from __future__ import annotations

from benchmarks.peers.peer import Peer
from benchmarks.peers.programs import PEERS

__all__ = ["PEERS", "Peer"]
