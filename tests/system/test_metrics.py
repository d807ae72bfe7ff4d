"""Metrics of real processes: each of several has a port of its own."""

from __future__ import annotations

import http.client
import socket
from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.support.devices import person, raw, until
from tests.support.servers import servers


def two_free_ports() -> int:
    """A port that is free, as the next one is."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def asked(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def told(port: int) -> dict[str, float]:
    families = text_string_to_metric_families(asked(port, "/metrics")[1])
    return {s.name + s.labels.get("process", ""): s.value for f in families for s in f.samples}


async def test_each_of_two_processes_tells_its_own_and_the_public_port_nothing(
    transactional_db: None, tmp_path: Path
) -> None:
    port = two_free_ports()
    listen = {"METRICS_LISTEN": f"127.0.0.1:{port}"}
    with servers(tmp_path, "daphne --processes 2", **listen) as [server]:
        ada = await person(server.base, "ada")
        async with AsyncExitStack() as stack:
            for _ in range(6):
                watcher = await stack.enter_async_context(raw(server.base))
                assert (await watcher.authenticate(ada.account.access))["type"] == "ready"
            await until(lambda: all(asked(p, "/healthz")[0] == 200 for p in (port, port + 1)))
            first, second = told(port), told(port + 1)
        assert first["space_info1"] == second["space_info2"] == 1
        assert first["space_sockets"] + second["space_sockets"] == 6
        await until(lambda: told(port)["space_loop_lag_seconds_count"] > 0)
        assert asked(int(server.base.rpartition(":")[2]), "/metrics")[0] == 404
