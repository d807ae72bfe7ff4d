"""`./space soak [minutes]`: people, sessions that nobody watches, and a fault every ten seconds.

python -m tests.faults.soak [MINUTES] [--seed N] [--users N] [--only WORDS] [--json FILE]

Exit code: 0 all that must be zero is zero, 1 something is not.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from local.environment import settings_for_tests, without_foreign

ROOT = Path(__file__).resolve().parents[3]
KEPT = ROOT / ".space" / "faults"
SOAK = KEPT / "soak.json"  # what docs/reliability.md takes
NOWHERE = {
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    _become_part_of_space()
    from tests.faults import __main__ as faults
    from tests.faults.soak.run import Plan, soak
    from tests.faults.stack import ground, stack

    file: Path = options.json.absolute()
    logs = file.parent / f"{file.stem}-logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    plan = Plan(options.minutes, options.seed, options.users, options.only)
    print(f"Seed {plan.seed}. Logs are in {logs}.", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="space-soak-") as folder,
        ground(Path(folder)) as stores,
        stack(stores, logs) as space,
    ):
        result = asyncio.run(soak(space, plan))
    result.save(file)
    if file == SOAK and (KEPT / "results").exists():
        faults.write()
    print("\n" + result.text, flush=True)
    return 0 if result.is_good else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("./space soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("minutes", type=float, nargs="?", default=20.0, help="(20)")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10_000), help="the same faults again"
    )
    parser.add_argument("--users", type=int, default=200, help="with one or two devices (200)")
    parser.add_argument("--only", default="", help="faults that have these words in their name")
    parser.add_argument("--json", type=Path, default=SOAK, help="another file for the results")
    return parser.parse_args(arguments)


def _become_part_of_space() -> None:
    """The settings of tests: tokens that are made here are good at the servers."""
    os.environ.update(settings_for_tests(ROOT, os.environ))
    for name in os.environ.keys() - without_foreign(os.environ).keys():
        del os.environ[name]
    os.environ.update(NOWHERE)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
