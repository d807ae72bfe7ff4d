"""The health check of the container, against a server that answers a given status."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from config.probe import FRESH_S, is_well, status_of
from local.network import free_port
from runtime.liveness_file import LivenessFile


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


def test_without_a_server_there_is_no_status():
    assert status_of("/healthz", free_port()) == 0


@pytest.mark.parametrize(("path", "code"), [("/200", 0), ("/503", 1)])
def test_the_exit_code_is_0_where_the_server_answers_200(server, path, code):
    command = [sys.executable, "-m", "config.probe", path, str(server)]
    assert subprocess.run(command).returncode == code


def test_the_probe_loads_nothing_of_django():
    command = "import sys, config.probe; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command]).returncode == 0


@pytest.mark.parametrize(
    ("seconds_ago", "well"),
    [(0.0, True), (FRESH_S + 1, False), (-3600.0, False)],
    ids=["now", "too long ago", "before the machine was started"],
)
def test_a_timekeeper_is_healthy_if_a_round_succeeded_lately(tmp_path, seconds_ago, well):
    file = tmp_path / "alive"
    LivenessFile(file, now=lambda: time.monotonic() - seconds_ago).record(worked=True)
    assert is_well(f"file:{file}") is well


def test_a_timekeeper_whose_rounds_fail_is_not_healthy(tmp_path):
    now = time.monotonic() - FRESH_S - 1
    liveness = LivenessFile(tmp_path / "alive", now=lambda: now)
    now = time.monotonic()
    liveness.record(worked=False)
    assert not is_well(f"file:{tmp_path / 'alive'}")


def test_a_missing_or_broken_file_is_not_healthy(tmp_path):
    assert not is_well(f"file:{tmp_path / 'alive'}")
    (tmp_path / "alive").write_text("{")
    assert not is_well(f"file:{tmp_path / 'alive'}")


def test_a_pulse_that_cannot_be_written_is_one_line(tmp_path, caplog):
    now = 1000.0
    liveness = LivenessFile(tmp_path / "nowhere" / "alive", now=lambda: now)
    for _ in range(3):
        liveness.record(worked=True)
        now += 1
    assert len(caplog.records) == 1
