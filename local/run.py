"""`./space run`: every process of Space, until Ctrl-C."""

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from local import network, venv
from local.checkout import Checkout
from local.console import say, step
from local.environment import SHARED
from local.instance import Instance, state_file, the_only_one
from local.part import Part, stop_together
from local.problem import Problem
from local.servers import Servers
from local.supervisor import Supervisor

READY_WITHIN = 60.0  # seconds from the start of the server
TURNS_WITHIN = 15.0  # seconds
STOPS_WITHIN = 8.0  # seconds that the server has to close its sockets


def run(checkout: Checkout, host: str, port: int) -> int:
    started = time.monotonic()
    with stopped_by_signals(), the_only_one(checkout.space, str(checkout.root)) as instance:
        port = _claim(host, port)
        checkout.venv.ensure(venv.RUN, checkout.environment())
        with checkout.lasting_servers() as servers:
            _run_on(checkout, servers, instance, host, port, started)
    return 0


def _run_on(
    checkout: Checkout, servers: Servers, instance: Instance, host: str, port: int, started: float
) -> None:
    shown_host = (network.is_any(host) and network.address_in_the_network()) or host
    address = network.web_address(network.reachable_host(host), port)
    environment = {
        "PUBLIC_URL": network.web_address(network.reachable_host(shown_host), port),
        **checkout.environment(),
        **servers.addresses,
    }
    shared = {name: environment[name] for name in SHARED if name in environment}
    instance.address, instance.environment = address, shared
    with step("Migrating the database"):
        checkout.manage(["migrate", "--noinput", "--verbosity", "0"], environment)
    parts = [
        server_part(checkout, environment, host, port, checkout.fresh_log("server")),
        timekeeper_part(checkout, environment, checkout.fresh_log("timekeeper")),
    ]

    def remember() -> None:
        running = (part for part in (*servers.parts, *parts) if part.pid)
        instance.processes = {part.name: part.pid for part in running if part.pid}
        instance.write(state_file(checkout.space))

    try:
        for part in parts:
            part.start()
        remember()
        supervisor = Supervisor([*servers.parts, *parts], remember)
        _wait_until_ready(supervisor, parts[0])
        say(f"Space is ready at {address} ({time.monotonic() - started:.1f} s)")
        if shown_host != host:
            say(f"In your network:  {environment['PUBLIC_URL']}")
        say(
            "To look around, ./space demo makes an account with a year in it (in another terminal)."
        )
        say(f"Logs are in {checkout.log}. Press Ctrl-C to stop.")
        with suppress(KeyboardInterrupt):
            supervisor.watch()
        say("Stopping.")
    finally:
        ignore_signals()
        stop_together(parts)


def _claim(host: str, port: int) -> int:
    """The port, once it is known to be free: better now than after the slow steps."""
    port = port or network.free_port()
    reason = network.why_not(host, port)
    if reason:
        raise Problem(
            f"Cannot listen on port {port} of {host}: {reason}. "
            "Stop its other user, or choose another port with --port."
        )
    return port


def server_part(
    checkout: Checkout, environment: Mapping[str, str], host: str, port: int, log: Path
) -> Part:
    def answers(path: str, seconds: float) -> bool:
        return network.status(network.reachable_host(host), port, path, seconds) == 200

    return Part(
        "server",
        checkout.manage_command("serve", "--host", host, "--port", str(port)),
        log,
        environment,
        is_ready=lambda _: answers("/readyz", 2),
        stops_by=((signal.SIGTERM, STOPS_WITHIN),),
        is_healthy=lambda: answers("/healthz", 5),
        shows_warnings=True,
    )


def timekeeper_part(checkout: Checkout, environment: Mapping[str, str], log: Path) -> Part:
    alive = log.with_suffix(".alive")
    return Part(
        "timekeeper",
        checkout.manage_command("run_timekeeper", "--alive", str(alive)),
        log,
        environment,
        is_ready=Part.is_alive,
        stops_by=((signal.SIGTERM, STOPS_WITHIN),),
        is_healthy=lambda: _has_turned(alive),
        shows_warnings=True,
    )


def _wait_until_ready(supervisor: Supervisor, server: Part) -> None:
    deadline = time.monotonic() + READY_WITHIN

    def is_over() -> bool:
        supervisor.give_up_if_hopeless()
        return server.is_ready(server) or time.monotonic() > deadline

    supervisor.watch(until=is_over)
    if not server.is_ready(server):
        raise Problem(server.explain(f"is not ready after {READY_WITHIN:.0f} s"))


def _has_turned(alive: Path) -> bool:
    """Whether the timekeeper's loop has turned lately (`runtime/liveness_file.py`)."""
    try:
        turned = float(json.loads(alive.read_text())["turned"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return 0 <= time.monotonic() - turned <= TURNS_WITHIN


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal stop us as Ctrl-C does: in order."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        ignore_signals()  # one is enough: each step of stopping has a time limit
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN or number == signal.SIGINT:
            signal.signal(number, interrupt)
    yield


def ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
