"""Runs the check of the image. `./space check container` starts it with the bare Python."""

import os
import sys
from pathlib import Path

from local import venv
from local.checkout import Checkout
from local.problem import explained
from local.run import stopped_by_signals
from tools.container.check import check_container
from tools.container.needs import CANNOT_RUN_HERE, unmet

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    if unmet():
        return CANNOT_RUN_HERE
    with stopped_by_signals():
        checkout = Checkout(ROOT)
        checkout.venv.ensure(venv.CONTAINER, os.environ)
        return check_container(checkout)


if __name__ == "__main__":
    sys.exit(explained(main))
