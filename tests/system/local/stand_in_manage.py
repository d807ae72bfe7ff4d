"""Stands in for manage.py in the tests of `./space`: small, and it prints its arguments."""

import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()


def main(command, *arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if command == "serve":
        print("2026-01-01 00:00:00 WARNING stand-in: a warning", flush=True)  # noqa: T201
        HTTPServer((arguments[1], int(arguments[3])), Ready).serve_forever()
    elif command == "run_timekeeper":
        while True:
            time.sleep(60)
    elif command == "migrate" and Path("migrate-fails").exists():
        sys.exit("a migration is broken")
    elif command == "addresses":
        print(os.environ["DATABASE_URL"], os.environ["REDIS_URL"])  # noqa: T201
    elif command == "demo":
        print("demo got:", *arguments)  # noqa: T201
        print("at", os.environ.get("PUBLIC_URL"))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
