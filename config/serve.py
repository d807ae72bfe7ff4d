"""The two servers that can run Space, started the way it needs them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

from config.listening import BACKLOG
from config.websocket import WebSocket

# Above the protocol's own limit of 16 KiB, so that a frame that is a little too large is answered
# with 4413; the library refuses what is larger with its own 1009, without reading it.
LARGEST_FRAME_READ = 64 * 1024
# Longer than proxies keep an idle connection (60 s): the side that closes first must be the proxy,
# or it sends a request into a connection that we have just closed.
KEEP_ALIVE_S = 75

APP = "config.asgi:application"
Sockets = list[socket.socket] | None


class CannotListen(Exception):
    """The address is taken, or is none of this machine's."""


class Uvicorn(uvicorn.Server):
    """uvicorn that tells its sockets before it goes (its own shutdown closes them all at once)."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from realtime import publisher
        from realtime.drain import drain

        await drain()
        await super().shutdown(sockets)
        # Then uvicorn ends the process by the signal it got: nothing is done at its exit.
        await asyncio.to_thread(publisher.flush)


def run_uvicorn(
    host: str, port: int, trusted_proxies: str, app: str = APP, sockets: Sockets = None
) -> None:
    """uvicorn, tuned; blocks until SIGTERM or Ctrl-C. `trusted_proxies`: addresses, or "".

    With `sockets`, which listen already, host and port are only what they are called.
    """
    server = Uvicorn(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            ws=WebSocket,
            ws_max_size=LARGEST_FRAME_READ,
            ws_per_message_deflate=False,  # 36 KB a socket for frames that are small anyhow
            lifespan="off",
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            log_config=None,  # ours, from the settings
            access_log=False,
            server_header=False,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=trusted_proxies or None,
            timeout_graceful_shutdown=2,  # and two to tell the sockets: gone within five
        )
    )
    try:
        server.run(sockets)
    except SystemExit:  # what uvicorn raises when it cannot bind; its log line has said why
        raise CannotListen from None


def run_daphne(host: str, port: int, app: str = APP, sockets: Sockets = None) -> None:
    """Daphne, tuned; blocks until SIGTERM or Ctrl-C, and tells its sockets before it goes."""
    from daphne.server import Server  # installs Twisted's reactor on asyncio
    from twisted.internet import defer, reactor

    from realtime import publisher
    from realtime.drain import drain

    class Daphne(Server):  # type: ignore[misc]  # it has no types
        """Daphne that tells its sockets before it cancels what serves them."""

        ports: list[Any]

        def listen_success(self, port: Any) -> None:
            super().listen_success(port)
            self.ports.append(port)

        def listen_error(self, failure: Any) -> None:
            super().listen_error(failure)
            self.failure = failure.getErrorMessage()

        def kill_all_applications(self) -> Any:
            for port in self.ports:
                port.stopListening()
            return defer.Deferred.fromFuture(asyncio.ensure_future(self._go_down()))

        async def _go_down(self) -> None:
            await drain()
            tasks = [
                c["application_instance"]
                for c in self.connections.values()
                if "application_instance" in c
            ]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def listen_on_sockets() -> None:
        for listener in sockets or []:
            server.ports.append(
                reactor.adoptStreamPort(listener.fileno(), listener.family, server.http_factory)
            )
            listener.close()  # Twisted has made its own of it

    server = Daphne(
        application=import_from_string(app),
        endpoints=[_endpoint(host, port)],
        ready_callable=listen_on_sockets,
        websocket_timeout=-1,  # else a step of the wall clock closes every socket
        websocket_max_message_size=LARGEST_FRAME_READ,
        websocket_max_frame_size=LARGEST_FRAME_READ,
        ping_interval=20,
        ping_timeout=20,
        http_timeout=30,
        application_close_timeout=5,
        server_name="",
        verbosity=0,
    )
    server.ports = []
    if sockets:
        server.endpoints = []  # it insists on some, and knows only IPv4 by number
    server.run()
    publisher.flush()
    if hasattr(server, "failure"):
        raise CannotListen(server.failure)


def _endpoint(host: str, port: int) -> str:
    """Twisted's description of where to listen; colons in an address are escaped."""
    interface = host.replace(":", "\\:")
    return f"tcp:port={port}:interface={interface}:backlog={BACKLOG}"
