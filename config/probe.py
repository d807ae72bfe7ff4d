"""`python -m config.probe /readyz [PORT]`: asks the server in this container, for its health check.

Exit code 0 if it answers 200. Standard library only: it runs every few seconds, so it loads nothing
of Django.
"""

import http.client
import sys

PORT = 8000  # as in the Dockerfile
PATIENCE_S = 4.0  # `/readyz` itself gives up after two


def status_of(path: str, port: int = PORT) -> int:
    """The status that the server answers with, or 0 if it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if status_of(sys.argv[1], *map(int, sys.argv[2:])) == 200 else 1)
