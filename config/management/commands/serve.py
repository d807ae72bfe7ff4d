"""`manage.py serve`: the whole app, HTTP and WebSocket, on uvicorn or Daphne."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config import serve


class Command(BaseCommand):
    help = "Serves HTTP and WebSocket until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--server", choices=["uvicorn", "daphne"], default="uvicorn")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        self.stdout.write(f"Serving on http://{host}:{port} ({options['server']}).")
        try:
            if options["server"] == "daphne":
                serve.run_daphne(host, port)
            else:
                serve.run_uvicorn(host, port, settings.FORWARDED_ALLOW_IPS)
        except serve.CannotListen as error:
            raise CommandError(f"Cannot listen on {host}:{port}. {error}".strip()) from None
