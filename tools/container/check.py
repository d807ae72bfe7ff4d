"""`./space check container`: each step with its time, and a summary, as `./space check` has it."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from local.checkout import Checkout
from local.console import say
from local.environment import SERVERS
from local.network import free_port, status
from local.part import Part, wait_for
from local.problem import Problem
from local.servers import Servers, lasting_servers
from local.steps import Steps
from tools.container import contents, proxies
from tools.container.buildah import Buildah
from tools.container.bundle import Runtime, environment_of
from tools.container.commands import must, output_of
from tools.container.compose import Compose

READY_WITHIN = 60.0  # seconds
ENDS_WITHIN = 6.0  # seconds from SIGTERM to the end, with an open socket
ADDRESS = "127.0.0.2"  # where the tour comes from, to distinguish it from the proxy


def check_container(checkout: Checkout) -> int:
    """0 if every step has passed, else 1. The machine meets `needs.NEEDS`."""
    with ExitStack() as stack:
        home = checkout.space / "container"
        home.mkdir(mode=0o700, exist_ok=True)
        stack.enter_context(_alone(home))
        return Check(checkout, home, stack).run()


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Images and mounts are shared by all runs in a checkout."""
    with (home / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("./space check container is already running in this checkout.") from None
        yield


class Check:
    def __init__(self, checkout: Checkout, home: Path, stack: ExitStack) -> None:
        self.checkout, self.root, self.home, self.stack = checkout, checkout.root, home, stack
        self.steps = Steps()
        self.step = self.steps.step  # after one that fails, the next are not tried
        self.compose = Compose(self.root, checkout.venv.site_packages, self.home)

    def run(self) -> int:
        try:
            self._run()
        except Problem as problem:  # a step that the rest builds on; it is in the results
            say(f"{problem}")
        return self.steps.summary()

    def _run(self) -> None:
        with self.step("Dockerfile: hadolint"):
            output_of([self.checkout.venv.python.parent / "hadolint", self.root / "Dockerfile"])
        with self.step("docker-compose.yml: valid, and no default for a secret"):
            given = self.compose.new_env()
            services = self.compose.read(given)["services"]
            self.compose.check_that_each_is_required(given)
        with self.step("base image (made once, then kept in .space/container)"):
            buildah = Buildah(self.root, self.home)
            base = buildah.make_base()
        with self.step("build"):
            buildah.build(base, self.checkout.venv.python, os.environ)
            buildah.forget_what_is_unused()
        files = self.stack.enter_context(buildah.files())
        image = buildah.configuration()
        with self.step("inside: user, packages, static files, nothing else"):
            contents.check_configuration(image)
            contents.check_files(files, self.root)
        runtime = Runtime(files, self.home / "run", image)
        self.stack.callback(runtime.remove_all)
        servers = self.stack.enter_context(self._servers())
        Stack(self, runtime, services, servers.addresses).try_it()

    def _servers(self) -> AbstractContextManager[Servers]:
        """Empty ones, and always our own: a check migrates no other database."""
        home = self.home / "servers"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o700)
        given = {k: v for k, v in self.checkout.environment().items() if k not in SERVERS}
        return lasting_servers(home, home, self.checkout.programs, given)


class Stack:
    """The services of the compose file, running: not as root, read-only, without capabilities."""

    def __init__(
        self,
        check: Check,
        runtime: Runtime,
        services: Mapping[str, Mapping[str, Any]],
        addresses: dict[str, str],
    ) -> None:
        self.check, self.runtime, self.services = check, runtime, services
        self.home = check.home / "run"
        self.addresses = addresses
        self.servers: list[Part] = []
        self.timekeepers: list[Part] = []
        self.ports: list[int] = []

    def try_it(self) -> None:
        step = self.check.step
        with step("refuses to start without a secret"):
            for secret in ("SECRET_KEY", "TOKEN_SIGNING_KEY"):
                self.must_refuse_without(secret)
        with step("migrate"):
            part = self.part("migrate")
            part.start()
            self.must_end(part, within=READY_WITHIN)
        with step("two servers and two timekeepers start; the health check passes"):
            self.start_all()
        with step("HTTPS: redirected, unless the proxy says it was HTTPS"):
            self.https()
        with step("tour of one server"):
            self.tour(self.ports[0], "--quick")
        for name, start in (("nginx", proxies.nginx), ("caddy", proxies.caddy)):
            if proxies.is_installed(name):
                with step(f"behind {name}: tour, and again while one server is stopped"):
                    self.behind(start)
        with step("SIGTERM: sockets are closed with a frame, all end with 0"):
            self.stop_all()

    def part(self, name: str, **more: str) -> Part:
        given = environment_of(self.services[name]) | self.addresses | more
        return self.runtime.part(name, self.services[name], given)

    def server(self, name: str, port: int, **more: str) -> Part:
        service = self.services["server-1"]  # the other one differs only in its address
        # Only the address differs from the compose file: both are on this machine's loopback.
        command = ["serve", "--host", "127.0.0.1", "--port", str(port)]
        given = environment_of(service) | self.addresses | {"FORWARDED_ALLOW_IPS": "127.0.0.1"}
        return self.runtime.part(
            name,
            service,
            given | more,
            is_ready=lambda _: status("127.0.0.1", port, "/readyz") == 200,
            command=command,
        )

    def start(self, part: Part) -> None:
        part.start()
        self.check.stack.callback(part.stop)
        part.wait_until_ready(READY_WITHIN)

    def start_all(self) -> None:
        for name in ("server-1", "server-2"):
            self.ports.append(free_port())
            self.servers.append(self.server(name, self.ports[-1]))
            self.start(self.servers[-1])
        self.timekeepers += [self.part("timekeeper-1"), self.part("timekeeper-2")]
        for part in self.timekeepers:
            self.start(part)
        health = list(self.runtime.image["Healthcheck"]["Test"][1:])
        for path, port, expected in (
            ("/healthz", self.ports[0], 0),
            ("/readyz", self.ports[1], 0),
            ("/healthz", 1, 1),
        ):
            code = self.runtime.run_inside("server-1", [*health[:-1], path, str(port)])
            must(code == expected, f"The health check of {path} on {port} ended with {code}.")

    def must_refuse_without(self, secret: str) -> None:
        part = self.server("without-secret", free_port(), **{secret: ""})
        part.start()
        must(wait_for(lambda: not part.is_alive(), READY_WITHIN), f"It starts without {secret}.")
        must(part.exit_reason() != "exit code 0", f"Without {secret} it ends with 0.")
        must(secret in part.log.read_text(), part.explain(f"does not say that {secret} is missing"))
        part.log.unlink()

    def must_end(self, part: Part, within: float) -> None:
        ended = wait_for(lambda: not part.is_alive(), within)
        must(ended, part.explain(f"has not ended after {within:.0f} s"))
        must(part.exit_reason() == "exit code 0", part.explain(f"ended: {part.exit_reason()}"))

    def https(self) -> None:
        port = free_port()
        part = self.server("https", port, HTTPS="true")
        self.start(part)
        must(status("127.0.0.1", port, "/") == 301, "Plain HTTP is not redirected.")
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": ADDRESS}
        must(
            status("127.0.0.1", port, "/", headers=headers) == 200,
            "The proxy's X-Forwarded-Proto is not believed.",
        )
        part.ask_to_stop()
        self.must_end(part, within=ENDS_WITHIN)

    def tour(self, port: int, *options: str) -> None:
        say(output_of(self.tour_command(port, *options)).rstrip())

    def tour_command(self, port: int, *options: str) -> list[str | Path]:
        python = self.check.checkout.venv.python
        return [python, "-m", "tools.container.tour", f"http://127.0.0.1:{port}", *options]

    def behind(self, start: Callable[[Path, Path, list[int]], tuple[Part, int]]) -> None:
        proxy, port = start(self.check.root, self.home, self.ports)
        self.start(proxy)
        must(
            wait_for(lambda: status("127.0.0.1", port, "/readyz") == 200, 10),
            proxy.explain("does not serve"),
        )
        self.tour(port, "--from", ADDRESS)
        away = self.servers[0]
        away.ask_to_stop()
        self.must_end(away, within=ENDS_WITHIN)
        self.tour(port, "--from", ADDRESS, "--quick")
        self.start(away)
        proxy.stop()

    def stop_all(self) -> None:
        for name in self.runtime.names:
            if used := self.runtime.peak_memory(name):
                say(f"  {name} has used {used / 2**20:.0f} MiB at most")
        log = self.home / "watcher.log"
        log.unlink(missing_ok=True)
        command = self.tour_command(self.ports[0], "--until-4503")
        watcher = Part("watcher", command, log, dict(os.environ), says("watching"))
        self.start(watcher)
        started = time.monotonic()
        for part in (*self.servers, *self.timekeepers):
            part.ask_to_stop()
        for part in (*self.servers, *self.timekeepers):
            self.must_end(part, within=ENDS_WITHIN)
        say(f"  gone after {time.monotonic() - started:.1f} s")
        self.must_end(watcher, within=ENDS_WITHIN)


def says(text: str) -> Callable[[Part], bool]:
    return lambda part: text in part.log.read_text()
