"""Runs Space on uvicorn or on Daphne, configured the way it needs them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

import uvicorn
from django.conf import settings
from uvicorn.importer import import_from_string

from runtime.watchdog import gone_within
from server import garbage_collection
from server.listen import BACKLOG
from server.uvicorn.http import Http
from server.uvicorn.websocket import WebSocket

# Above the protocol's own limit of 16 KiB, so that a frame that is a little too large is answered
# with 4413; the library refuses a larger one with its own 1009, without reading it.
LARGEST_FRAME_READ = 64 * 1024
# Longer than proxies keep an idle connection (60 s): the side that closes first must be the proxy,
# or it sends a request into a connection that we have just closed.
KEEP_ALIVE_S = 75

# A socket whose pong has not come when its next ping is due is closed. A silent socket gets
# heartbeats more often than that, so no proxy finds the connection idle.
PING_EVERY_S = 30

APP = "config.asgi:application"
Sockets = list[socket.socket] | None
Call = Callable[[], object]


class _ClientsFault(logging.Filter):
    """Drops log lines that any client can cause at will, and that are answered.

    They are about text frames that are not UTF-8 (1007), and requests that are not HTTP (400).
    """

    KNOWN = ("Invalid UTF-8 sequence received", "Invalid HTTP request received")

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(self.KNOWN)


class CannotListen(Exception):
    """The address is taken, or does not belong to this machine."""


class Uvicorn(uvicorn.Server):
    """uvicorn that drains its sockets first (its own shutdown closes them all at once)."""

    def __init__(self, config: uvicorn.Config, on_check: Call, on_started: Call) -> None:
        super().__init__(config)
        self._on_check = on_check
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        from realtime import health

        await super().startup(sockets)
        garbage_collection.settle()
        self._on_started()
        health.watch(self._on_check)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from accounts.mail import queue
        from realtime import health
        from realtime.broker import publisher
        from realtime.hub.drain import GONE_WITHIN_S, drain

        gone_within(GONE_WITHIN_S)
        await drain()  # it still listens: new clients are answered, and sent elsewhere
        await super().shutdown(sockets)
        # Then uvicorn ends the process by the signal it got: no exit handlers run.
        await asyncio.gather(asyncio.to_thread(publisher.flush), asyncio.to_thread(queue.flush))
        health.unwatch()


def run_uvicorn(
    host: str, port: int, app: str, sockets: Sockets, on_check: Call, on_started: Call
) -> None:
    """uvicorn, tuned; blocks until SIGTERM or Ctrl-C.

    With `sockets`, which listen already, host and port only name them. The watchdog calls
    `on_check` each second; the event loop calls `on_started` once the server listens.
    """
    logging.getLogger("uvicorn.error").addFilter(_ClientsFault())
    server = Uvicorn(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            loop="uvloop",
            http=Http,
            ws=WebSocket,
            ws_max_size=LARGEST_FRAME_READ,
            ws_per_message_deflate=False,  # 36 KB a socket for frames that are small anyhow
            ws_ping_interval=PING_EVERY_S,
            ws_ping_timeout=PING_EVERY_S,
            lifespan="off",
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            log_config=None,  # ours, from the settings
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.FORWARDED_ALLOW_IPS),
            forwarded_allow_ips=settings.FORWARDED_ALLOW_IPS or None,
            timeout_graceful_shutdown=2,  # and two to drain the sockets: gone within five
        ),
        on_check,
        on_started,
    )
    try:
        server.run(sockets)
    except SystemExit:  # uvicorn could not bind; its log line has the reason
        raise CannotListen from None


def run_daphne(
    host: str, port: int, app: str, sockets: Sockets, on_check: Call, on_started: Call
) -> None:
    """Daphne, tuned; blocks until SIGTERM or Ctrl-C, and drains its sockets before it ends."""
    from accounts.mail import queue
    from realtime.broker import publisher
    from server.daphne import Daphne

    server = Daphne(
        application=import_from_string(app),
        endpoints=[_endpoint(host, port)],
        listeners=sockets,
        on_check=on_check,
        on_started=on_started,
        websocket_timeout=-1,  # else a step of the wall clock closes every socket
        websocket_max_message_size=LARGEST_FRAME_READ,
        websocket_max_frame_size=LARGEST_FRAME_READ,
        ping_interval=20,
        ping_timeout=20,
        http_timeout=120,  # longer than any request of ours: its own error is not JSON
        application_close_timeout=5,
        server_name="",
        verbosity=0,
    )
    server.run()
    publisher.flush()
    queue.flush()
    if hasattr(server, "failure"):
        raise CannotListen(server.failure)


SERVERS = {"uvicorn": run_uvicorn, "daphne": run_daphne}


def _endpoint(host: str, port: int) -> str:
    """Twisted's description of where to listen; colons in an address are escaped."""
    interface = host.replace(":", "\\:")
    return f"tcp:port={port}:interface={interface}:backlog={BACKLOG}"
