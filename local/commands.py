"""The commands of `./space`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from local import tests, venv
from local.check import check
from local.checkout import Checkout
from local.console import complain, say, step
from local.environment import SHARED, without_foreign
from local.foreground import become, run_in_foreground
from local.instance import running, the_only_one
from local.problem import explained
from local.run import run, stopped_by_signals

ROOT = Path(__file__).resolve().parent.parent
# Their arguments are for another program.
PASSED_ON = ("test", "manage", "demo", "bench", "load", "faults", "soak")
LAST_PORT = 65_535
NOT_RUNNING = "Space is not running in this checkout: start it with ./space run"

TEST_ARGUMENTS = """\
arguments:
  (none)             the daily run: unit, app, docs, one journey, the logic of the page
  --rest             what --all runs and the daily run does not
  --all              every test that runs unattended
  a file, a folder, -k TEXT, ...   are pytest's; they choose from all tests"""

DEMO_ARGUMENTS = """\
arguments:
  --user NAME        the name of the account (demo)
  --password TEXT    its password (made at random)
  --months N         how far back it goes (12)
  --seed N           another number, another year (1)
  --time-zone NAME   where it is lived, as in Europe/Berlin (this machine's)
  --no-running       leave no session running
  --again            delete the account first, if demo has made it"""

BENCH_ARGUMENTS = """\
arguments:
  --quick            the most telling rows, in two minutes; writes no document
  --json FILE        write all figures there too
  --only WHAT        ticks, redis, storm, stalled, latency, ends or rest (may be repeated)
  --peer NAME        only those whose name has this in it (may be repeated)
  --sockets N        only with so many sockets
  --per-session K    devices to a session: a number, or all
  --seconds N        measured of each row (10)
  --minutes N        for the whole run (24): the least important rows are left out first"""

LOAD_ARGUMENTS = """\
arguments:
  --devices N        sockets, at most ten of a user (50)
  --sessions M       of all users together; one of a user runs at a time (N / 5)
  --minutes T        how long (2)
  --url URL          another Space than the one that runs in this checkout; several times: its
                     processes, over which devices spread
  --users-file FILE  accounts, kept for the next run (.space/load/users.json)

exit code: 0 all held, 1 something did not, 2 there was no run"""


def _port(text: str) -> int:
    """A number that a port can have. (argparse says which argument was wrong.)"""
    if not text.isdecimal() or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to {LAST_PORT}")
    return int(text)


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    here = Path.cwd()
    os.chdir(ROOT)
    return explained(lambda: _run(Checkout(ROOT), options, here))


def _run(checkout: Checkout, options: argparse.Namespace, here: Path) -> int:
    match options.command:
        case "run":
            return run(checkout, options.host, options.port)
        case "test":
            return test(checkout, options.rest, here)
        case "check":
            with stopped_by_signals():
                if options.what == "container":
                    return tool("tools.container")
                checkout.venv.ensure(venv.DEVELOP, os.environ)
                return check(checkout, with_tests=options.tests)
        case "env":
            return env(checkout)
        case "bench":  # a relative name of a file is relative to the user's folder
            environment = checkout.environment() | {"SPACE_BENCH_FROM": str(here)}
            return program(checkout, "benchmarks.bench", options.rest, environment)
        case "faults":  # on a Space of its own: one that is running is not touched
            return program(checkout, "tests.faults", options.rest, checkout.environment_for_tests())
        case "soak":
            return program(
                checkout, "tests.faults.soak", options.rest, checkout.environment_for_tests()
            )
        case "screenshots":
            return tool("tools.screenshots")
        case "load":
            return load(checkout, options.rest)
        case "demo":
            return manage(checkout, ["demo", *options.rest], migrated=True)
        case _:
            return manage(checkout, options.rest)


def test(checkout: Checkout, arguments: Sequence[str], here: Path) -> int:
    with stopped_by_signals():
        checkout.venv.ensure(venv.TEST, os.environ)
        return tests.run(tests.Request.of(arguments, here, checkout.root), checkout)


def program(
    checkout: Checkout, module: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> NoReturn:
    """Go on as a module of ours, with the packages of the tests."""
    with stopped_by_signals():
        checkout.venv.ensure(venv.TEST, environment)
    become([str(checkout.venv.python), "-m", module, *arguments], environment)


def tool(module: str) -> NoReturn:
    """Go on as a tool for contributors: those import `local`, not the other way."""
    become([sys.executable, "-m", module], without_foreign(os.environ))


def env(checkout: Checkout) -> int:
    given = checkout.environment()
    instance = running(checkout.space)
    if instance is not None:
        given |= instance.environment
    elif not (given.get("DATABASE_URL") and given.get("REDIS_URL")):
        complain(NOT_RUNNING)
        return 1
    for name in SHARED:
        if name in given:
            say(f"{name}={given[name]}")
    return 0


def load(checkout: Checkout, arguments: Sequence[str]) -> int:
    if not any(argument.split("=")[0] == "--url" for argument in arguments):
        instance = running(checkout.space)
        if instance is None or not instance.address:
            complain(f"{NOT_RUNNING}, or name another one with --url")
            return 2
        arguments = ["--url", instance.address, *arguments]
    return program(checkout, "benchmarks.load_generator", arguments, os.environ)


def manage(checkout: Checkout, arguments: Sequence[str], *, migrated: bool = False) -> int:
    """`migrated`: servers that are started for the command are migrated first."""
    with stopped_by_signals():
        checkout.venv.ensure(venv.RUN, os.environ)
        command = checkout.manage_command(*arguments)
        environment = checkout.environment()
        instance = running(checkout.space)
        if instance is not None:
            become(command, environment | instance.environment)
        if environment.get("DATABASE_URL") and environment.get("REDIS_URL"):
            become(command, environment)
        with (
            the_only_one(checkout.space, str(checkout.root)),
            checkout.lasting_servers() as servers,
        ):
            environment |= servers.addresses
            if migrated:
                with step("Migrating the database"):
                    checkout.manage(["migrate", "--noinput", "--verbosity", "0"], environment)
            return run_in_foreground(command, environment)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    if arguments and arguments[0] in PASSED_ON and arguments[1:] not in (["--help"], ["-h"]):
        return argparse.Namespace(command=arguments[0], rest=list(arguments[1:]))
    return parser.parse_args(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("./space", description="Space on this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, about: str, epilog: str = "") -> argparse.ArgumentParser:
        raw = argparse.RawDescriptionHelpFormatter
        made = commands.add_parser(
            name, help=about, description=about, epilog=epilog, formatter_class=raw
        )
        if name in PASSED_ON:
            made.add_argument("rest", nargs="*", help="see below" if epilog else None)
        return made

    run_ = command(
        "run", "install, start PostgreSQL, Valkey, the server and a timekeeper; stop with Ctrl-C"
    )
    run_.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for phones in your network")
    run_.add_argument("--port", type=_port, default=8000, help="0 for any free one")
    command("test", "run the daily tests; other arguments are pytest's", TEST_ARGUMENTS)
    check_ = command(
        "check", "format, lint, types, imports, migrations, schemas, settings, and every test"
    )
    check_.add_argument(
        "what",
        nargs="?",
        choices=["container"],
        help="the Dockerfile and docker-compose.yml instead (exit code 3: not on this machine)",
    )
    check_.add_argument("--no-tests", dest="tests", action="store_false", help="no test at all")
    command(
        "demo", "fill an account with a believable year, and print its password", DEMO_ARGUMENTS
    )
    command(
        "bench",
        "measure Space beside its peers, print the table and write docs/benchmarks.md",
        BENCH_ARGUMENTS,
    )
    command("load", "many devices of many users, and a check of all they receive", LOAD_ARGUMENTS)
    command("faults", "make every fault, one after the other; writes docs/reliability.md")
    command("soak", "200 users and a random fault every ten seconds, for so many minutes (20)")
    command("env", "print the addresses and secrets of the running Space, for another process")
    command("screenshots", "take the pictures in docs/images again, of a new Space; needs Chromium")
    command("manage", "run manage.py on the servers that are running, or on servers started for it")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
