"""The health check of the container, against a server that answers what it is told to."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from config.probe import status_of
from local.network import free_port


@pytest.fixture
def server():
    """Answers with the status that the path names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path[1:]))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_it_tells_what_the_server_answers(server):
    assert status_of("/200", server) == 200
    assert status_of("/503", server) == 503


def test_no_server_is_not_healthy():
    assert status_of("/healthz", free_port()) == 0


@pytest.mark.parametrize(("path", "code"), [("/200", 0), ("/503", 1)])
def test_the_exit_code_says_it(server, path, code):
    command = [sys.executable, "-m", "config.probe", path, str(server)]
    assert subprocess.run(command).returncode == code


def test_it_loads_nothing_of_django():
    command = "import sys, config.probe; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command]).returncode == 0
