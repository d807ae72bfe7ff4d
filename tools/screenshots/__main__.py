"""Starts the Space whose pictures are taken, with a year of sessions in it."""

import secrets
import sys
from pathlib import Path

from local import network, venv
from local.checkout import Checkout
from local.console import say, step
from local.environment import SERVERS
from local.foreground import run_in_foreground
from local.instance import the_only_one
from local.part import stop_together
from local.problem import explained
from local.run import READY_WITHIN, server_part, stopped_by_signals, timekeeper_part
from local.servers import lasting_servers

ROOT = Path(__file__).resolve().parents[2]
USER = "ada"
YEAR = ("--months", "12", "--seed", "1", "--time-zone", "Europe/Berlin")


def screenshots(checkout: Checkout) -> int:
    """0 if all were taken. Its servers and data are its own, so a Space that runs is untouched."""
    home = checkout.space / "screenshots"
    home.mkdir(mode=0o700, exist_ok=True)
    with stopped_by_signals(), the_only_one(home, str(checkout.root)):
        checkout.venv.ensure(venv.TEST, checkout.environment())
        browser = [str(checkout.venv.python), "-m", "tests.browser.chromium"]
        if run_in_foreground(browser, checkout.environment()) != 0:
            return 1  # it has named the missing browser
        given = {name: v for name, v in checkout.environment().items() if name not in SERVERS}
        with lasting_servers(home, home / "log", checkout.programs, given) as servers:
            environment = given | servers.addresses | {"MEDIA_ROOT": str(home / "media")}
            return _take(checkout, environment, home / "log")


def _take(checkout: Checkout, environment: dict[str, str], logs: Path) -> int:
    host, port = "127.0.0.1", network.free_port()
    password = secrets.token_urlsafe(12)
    with step("Making a year to show"):
        checkout.manage(["migrate", "--noinput", "--verbosity", "0"], environment)
        demo = ["demo", "--again", "--user", USER, "--password", password, *YEAR]
        checkout.manage(demo, environment)
    parts = [
        server_part(checkout, environment, host, port, logs / "server.log"),
        timekeeper_part(checkout, environment, logs / "timekeeper.log"),
    ]
    try:
        for part in parts:
            part.start()
        parts[0].wait_until_ready(READY_WITHIN)
        say("Taking pictures")
        address = network.web_address(host, port)
        return _camera(checkout, environment, address, password)
    finally:
        stop_together(parts)


def _camera(checkout: Checkout, environment: dict[str, str], address: str, password: str) -> int:
    folder = checkout.root / "docs" / "images"
    camera = [str(checkout.venv.python), "-m", "tools.screenshots.camera"]
    return run_in_foreground([*camera, address, USER, password, folder], environment)


if __name__ == "__main__":
    sys.exit(explained(lambda: screenshots(Checkout(ROOT))))
