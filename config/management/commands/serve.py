"""`manage.py serve`: HTTP and WebSocket, or one of the two, on uvicorn or Daphne."""

import os
from argparse import ArgumentParser, ArgumentTypeError
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ops.metrics import start as metrics
from server import run as serve
from server.listen import listeners
from server.prefork import CannotStart, Prefork

APPS = {
    None: serve.APP,
    "rest": "config.asgi:only_rest",
    "sockets": "config.asgi:only_sockets",
}


def usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processes(text: str) -> int:
    if text == "auto":
        return usable_cores()
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError("a number from 1 on, or auto")
    return int(text)


class Command(BaseCommand):
    help = "Serves HTTP and WebSocket until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--server", choices=list(serve.SERVERS), default="uvicorn")
        parser.add_argument(
            "--processes",
            type=processes,
            default=1,
            metavar="N",
            help="so many servers behind the one port; auto: one for each usable core",
        )
        parser.add_argument(
            "--only",
            choices=["rest", "sockets"],
            help="serve one part, where a proxy sends /ws/ to other processes than the rest",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host, port, count = options["host"], options["port"], options["processes"]
        app = APPS[options["only"]]
        server = serve.SERVERS[options["server"]]
        run = partial(server, host, port, app, on_started=metrics.in_server)
        shared = f", {count} processes" if count > 1 else ""
        self.stdout.write(f"Serving on http://{host}:{port} ({options['server']}{shared}).")
        try:
            if count == 1:
                run(sockets=None, on_check=lambda: None)
            else:
                self._share(run, host, port, count)
        except serve.CannotListen as error:
            raise CommandError(f"Cannot listen on {host}:{port}. {error}".strip()) from None
        except CannotStart as error:
            raise CommandError(str(error)) from None

    def _share(self, run: Any, host: str, port: int, count: int) -> None:
        if not hasattr(os, "fork"):
            raise CommandError("This system has no fork: start several processes instead.")
        import config.asgi  # noqa: F401 -- once, for all processes: its errors stop the start

        try:
            sockets = listeners(host, port, count)
        except OSError as error:
            raise serve.CannotListen(error.strerror or error) from None
        self.stdout.flush()
        Prefork(lambda mine, lives: run(sockets=mine, on_check=lives), sockets).run()
