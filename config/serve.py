"""The two servers that can run Space, started the way it needs them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

# Above the protocol's own limit of 16 KiB, so that a frame that is a little too large is answered
# with 4413; the library refuses what is larger with its own 1009, without reading it.
LARGEST_FRAME_READ = 64 * 1024
BACKLOG = 4096


class Uvicorn(uvicorn.Server):
    """uvicorn that tells its sockets before it goes (its own shutdown closes them all at once)."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from realtime.drain import drain

        await drain()
        await super().shutdown(sockets)


def uvicorn_server(host: str, port: int, trusted_proxies: str) -> Uvicorn:
    return Uvicorn(
        uvicorn.Config(
            "config.asgi:application",
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=LARGEST_FRAME_READ,
            ws_per_message_deflate=False,  # 36 KB a socket for frames that are small anyhow
            lifespan="off",
            backlog=BACKLOG,
            log_config=None,  # ours, from the settings
            access_log=False,
            server_header=False,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=trusted_proxies or None,
            timeout_graceful_shutdown=3,
        )
    )


def run_daphne(host: str, port: int) -> None:
    """Daphne, tuned; blocks until SIGTERM or Ctrl-C, and tells its sockets before it goes."""
    from daphne.server import Server  # installs Twisted's reactor on asyncio
    from twisted.internet import defer, reactor

    from config.asgi import application
    from realtime.drain import drain

    def before_shutdown() -> Any:
        return defer.Deferred.fromFuture(asyncio.ensure_future(drain()))

    reactor.addSystemEventTrigger("before", "shutdown", before_shutdown)  # type: ignore[arg-type]
    Server(
        application=application,
        endpoints=[
            f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}:backlog={BACKLOG}"
        ],
        websocket_timeout=-1,  # else a step of the wall clock closes every socket
        ping_interval=20,
        ping_timeout=20,
        http_timeout=30,
        application_close_timeout=5,
        server_name="",
        verbosity=0,
    ).run()
