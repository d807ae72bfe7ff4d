"""Serves `/metrics` and `/healthz` on a port of its own, where `METRICS_LISTEN` has one.

It runs in a thread, so it answers also while the event loop stands still, and in timekeepers, which
have no other port. There is no password: the address is for Prometheus alone. A port that is taken
stops no process: it is tried again, since the process before may be about to end.
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

RETRY_S = 5.0
CLIENT_TIMEOUT_S = 5.0  # for a client that sends or reads nothing

Health = Callable[[], tuple[bool, dict[str, Any]]]  # whether all is well, and details


def start(healthy: Health, sleep: Callable[[float], None] = time.sleep) -> None:
    """Listens from now on, where the settings have an address."""
    if settings.METRICS_LISTEN is None:
        return
    host, port = settings.METRICS_LISTEN
    port += process_number() - 1
    threading.Thread(
        target=_serve, args=(host, port, healthy, sleep), name="metrics", daemon=True
    ).start()


def process_number() -> int:
    """1, or the number of this server among several behind one port (`server/prefork.py`)."""
    found = re.fullmatch(r"server-(\d+)", multiprocessing.current_process().name)
    return int(found[1]) if found else 1


def _serve(host: str, port: int, healthy: Health, sleep: Callable[[float], None]) -> None:
    is_logged = False
    while True:
        try:
            with listening(host, port, healthy) as server:
                log.info("metrics are at http://%s:%d/metrics", host, server.server_port)
                server.serve_forever()
        except OSError as error:
            if not is_logged:
                log.error("metrics: cannot listen on %s:%d, trying again: %s", host, port, error)
            is_logged = True
        sleep(RETRY_S)


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
        """Without the name of this machine: the base class would ask a name server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs nothing: a client closed its connection, or sent nothing."""


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing for a scrape."""
