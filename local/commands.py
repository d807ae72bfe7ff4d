"""The commands of `./space`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local import tests, venv
from local.check import check
from local.checkout import Checkout
from local.console import complain, say, step
from local.environment import SHARED, without_foreign
from local.foreground import become, run_in_foreground
from local.instance import running, the_only_one
from local.problem import explained
from local.run import run, stopped_by_signals
from local.screenshots import screenshots

ROOT = Path(__file__).resolve().parent.parent
# Their arguments are for another program.
PASSED_ON = ("test", "manage", "demo", "bench", "load", "faults", "soak")
LAST_PORT = 65_535
NOT_RUNNING = "Space is not running in this checkout: start it with ./space run"

TEST_ARGUMENTS = """\
arguments:
  (none)             the daily run: unit, app, docs, one journey, the logic of the page
  --rest             what --all runs and the daily run does not
  --all              every test that runs by itself
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
  --minutes N        for all of it: what does not fit is left out, the least telling first (24)"""

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
                if options.what == "container":  # its tool stands on `local`, not the other way
                    become([sys.executable, "-m", "tools.container"], without_foreign(os.environ))
                checkout.venv.ensure(venv.DEVELOP, os.environ)
                return check(checkout, with_tests=options.tests)
        case "env":
            return env(checkout)
        case "bench":
            return bench(checkout, options.rest, here)
        case "faults" | "soak":
            return faults(checkout, options.command, options.rest)
        case "screenshots":
            return screenshots(checkout)
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


def bench(checkout: Checkout, arguments: Sequence[str], here: Path) -> int:
    """What it writes by a relative name goes where the user is."""
    with stopped_by_signals():
        checkout.venv.ensure(venv.TEST, checkout.environment())
    python = str(checkout.venv.python)
    environment = checkout.environment() | {"SPACE_BENCH_FROM": str(here)}
    become([python, "-m", "benchmarks.bench", *arguments], environment)


def faults(checkout: Checkout, what: str, arguments: Sequence[str]) -> int:
    """Breaks a Space of its own: the one that may be running is not touched."""
    with stopped_by_signals():
        checkout.venv.ensure(venv.TEST, os.environ)
    module = "tests.faults" if what == "faults" else "tests.faults.soak"
    python = str(checkout.venv.python)
    become([python, "-m", module, *arguments], checkout.environment_for_tests())


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
    with stopped_by_signals():
        checkout.venv.ensure(venv.TEST, os.environ)
    python = str(checkout.venv.python)
    return run_in_foreground([python, "-m", "benchmarks.load_generator", *arguments], os.environ)


def manage(checkout: Checkout, arguments: Sequence[str], *, migrated: bool = False) -> int:
    """`migrated`: servers that are started for it have their tables."""
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

    about = "install, start PostgreSQL, Valkey, the server and a timekeeper; stop with Ctrl-C"
    run_ = commands.add_parser("run", help=about, description=about)
    run_.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for phones in your network")
    run_.add_argument("--port", type=_port, default=8000, help="0 for any free one")

    about = "run the daily tests; other arguments are pytest's"
    test_ = commands.add_parser("test", help=about, description=about, epilog=TEST_ARGUMENTS)
    test_.formatter_class = argparse.RawDescriptionHelpFormatter
    test_.add_argument("rest", nargs="*", help="see below")

    about = "format, lint, types, imports, migrations, schemas, settings, and every test"
    check_ = commands.add_parser("check", help=about, description=about)
    check_.add_argument(
        "what",
        nargs="?",
        choices=["container"],
        help="the Dockerfile and docker-compose.yml instead (exit code 3: not on this machine)",
    )
    check_.add_argument(
        "--no-tests",
        dest="tests",
        action="store_false",
        help="no test at all",
    )

    about = "fill an account with a believable year, and print how to come in"
    demo = commands.add_parser("demo", help=about, description=about, epilog=DEMO_ARGUMENTS)
    demo.formatter_class = argparse.RawDescriptionHelpFormatter
    demo.add_argument("rest", nargs="*", help="see below")

    about = "measure Space beside its peers, print the table and write docs/benchmarks.md"
    bench_ = commands.add_parser("bench", help=about, description=about, epilog=BENCH_ARGUMENTS)
    bench_.formatter_class = argparse.RawDescriptionHelpFormatter
    bench_.add_argument("rest", nargs="*", help="see below")

    about = "many devices that behave like people's, and check what they are told"
    load_ = commands.add_parser("load", help=about, description=about, epilog=LOAD_ARGUMENTS)
    load_.formatter_class = argparse.RawDescriptionHelpFormatter
    load_.add_argument("rest", nargs="*", help="see below")

    about = "break everything that can break, one after the other; writes docs/reliability.md"
    commands.add_parser("faults", help=about, description=about).add_argument("rest", nargs="*")

    about = "200 users and a random fault every ten seconds, for so many minutes (20)"
    commands.add_parser("soak", help=about, description=about).add_argument("rest", nargs="*")

    about = "print the addresses and secrets of the Space that is running, for another process"
    commands.add_parser("env", help=about, description=about)

    about = "take the pictures in docs/images anew, of a Space of their own; needs Chromium"
    commands.add_parser("screenshots", help=about, description=about)

    about = "run manage.py on the servers that are running, or on servers started for it"
    commands.add_parser("manage", help=about, description=about).add_argument("rest", nargs="*")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
