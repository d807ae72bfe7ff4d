"""A port for those who watch, where `METRICS_LISTEN` says so: `/metrics`, and `/healthz`.

In a thread of its own, so it answers also while the event loop stands still, and in timekeepers,
which have no other port. No password: it is for an address that only Prometheus can reach. A port
that is taken keeps nobody from serving: it is tried again, since the process before us may be about
to go.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from prometheus_client import make_wsgi_app

from ops.metrics.registry import REGISTRY

log = logging.getLogger(__name__)

AGAIN_S = 5.0
PATIENCE_S = 5.0  # with a client that says nothing, or reads nothing

Health = Callable[[], tuple[bool, dict[str, Any]]]  # whether all is well, and what is to be shown


def start(healthy: Health, sleep: Callable[[float], None] = time.sleep) -> None:
    """Listens from now on, if the settings say so."""
    if settings.METRICS_LISTEN is None:
        return
    host, port = settings.METRICS_LISTEN
    port += process_number() - 1
    threading.Thread(
        target=_serve, args=(host, port, healthy, sleep), name="metrics", daemon=True
    ).start()


def process_number() -> int:
    """1, or which one of several servers behind one port this is (`server/prefork.py`)."""
    found = re.fullmatch(r"server-(\d+)", multiprocessing.current_process().name)
    return int(found[1]) if found else 1


def _serve(host: str, port: int, healthy: Health, sleep: Callable[[float], None]) -> None:
    told = False
    while True:
        try:
            with listening(host, port, healthy) as server:
                log.info("metrics are at http://%s:%d/metrics", host, server.server_port)
                server.serve_forever()
        except OSError as error:
            if not told:
                log.error("metrics: cannot listen on %s:%d, trying again: %s", host, port, error)
            told = True
        sleep(AGAIN_S)


def listening(host: str, port: int, healthy: Health) -> WSGIServer:
    """A server that listens already. Raises `OSError`."""
    kind = _ServerV6 if ":" in host else _Server
    return make_server(host, port, _app(healthy), server_class=kind, handler_class=_Handler)


def _app(healthy: Health) -> Any:
    metrics = make_wsgi_app(REGISTRY)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        if path == "/healthz":
            well, shown = healthy()
            status = "200 OK" if well else "503 Service Unavailable"
            body = json.dumps({"status": "ok" if well else "not ok", **shown}).encode()
        else:
            status, body = "404 Not Found", b'{"code": "not_found"}'
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    return app


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Without the name of this machine, which the base class asks a name server for."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = map(_plain, self.server_address[:2])  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or said nothing: nobody's concern."""


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE_S

    def log_message(self, format: str, *args: Any) -> None:
        """No line for a scrape."""


def _plain(value: object) -> object:
    return value
