"""Ports, addresses, and the status of an HTTP server."""

import contextlib
import http.client
import socket
from collections.abc import Mapping

NO_HEADERS: Mapping[str, str] = {}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def why_not(host: str, port: int) -> str | None:
    """Why a server could not listen there, or None."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    except OverflowError:
        return "there is no such port"
    return None


def is_any(host: str) -> bool:
    return host in ("", "0.0.0.0", "::")  # noqa: S104 - asked for, not bound here


def reachable_host(host: str) -> str:
    """How this machine reaches a server that listens there."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def address_in_the_network() -> str | None:
    """The address by which a phone in the same network reaches this machine."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the way out
        found: str = probe.getsockname()[0]
        return found
    return None


def web_address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def status(
    host: str, port: int, path: str, seconds: float = 3, headers: Mapping[str, str] = NO_HEADERS
) -> int:
    """The status of a GET; 0 if there is no answer in time."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
