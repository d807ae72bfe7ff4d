"""The health check of a container: `python -m config.probe /readyz [PORT]`.

Exit code 0 if the server answers 200. `python -m config.probe file:FILE` is for a timekeeper that
was started with `--alive FILE`: 0 if one of its rounds succeeded within 15 s. It runs every few
seconds, so it loads the standard library only. Compose files of deployments name this module, so
it stays where it is.
"""

import http.client
import json
import sys
import time
from pathlib import Path

PORT = 8000  # as in the Dockerfile
FRESH_S = 15.0  # a timekeeper has four rounds a second
TIMEOUT_S = 4.0  # `/readyz` itself gives up after two


def status_of(path: str, port: int = PORT) -> int:
    """The status that the server answers with, or 0 if it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def works(file: Path) -> bool:
    """Whether the writer of this file (`runtime/liveness_file.py`) did its job lately."""
    try:
        worked = float(json.loads(file.read_text())["worked"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return 0 <= time.monotonic() - worked <= FRESH_S  # below 0: from before a restart


def is_well(what: str, *port: str) -> bool:
    kind, _, file = what.partition(":")
    return works(Path(file)) if kind == "file" else status_of(what, *map(int, port)) == 200


if __name__ == "__main__":
    sys.exit(0 if is_well(*sys.argv[1:]) else 1)
