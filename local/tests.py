"""`./space test`: the choice of tests. Other arguments than `--rest` and `--all` are pytest's.

./space test           the daily run
./space test --rest    what `--all` runs and the daily run does not
./space test --all     every test that runs unattended
"""

import os
import shutil
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from local.checkout import Checkout
from local.console import say
from local.foreground import become
from local.steps import Step, Steps

DAILY = ("tests/unit", "tests/app", "tests/docs")
REST = ("tests/system", "tests/browser", "tests/hostile", "tests/faults")
DAILY_MARK = "pytest.mark.daily"  # in a file of tests/system: the daily run has it too
SCOPES = {"--all": "all", "--rest": "rest"}
LEFT_OUT = (
    "Left out: tests/system (but one journey), tests/browser, tests/hostile, tests/faults, and the "
    "second database driver. Run them with ./space test --rest, or everything with --all."
)
NO_NODE = "There is no Node: the logic of the page (tests/client) was not tested."

MOST_WORKERS = 4  # each has a database of its own, which takes a moment to make
WAITING = 1  # workers more than cores: for most of its time a test waits for something to happen
INTERRUPTED = 2  # pytest's exit code after Ctrl-C
MORE_EXAMPLES = "--hypothesis-profile=all"  # tests/support/generated.py
GENERATED = "hypothesis"  # hypothesis marks its tests: those of the daily run are tried again
# Options of pytest: some choose tests, from every tier; with others there can be no workers.
CHOOSES = {"-k", "-m", "--lf", "--last-failed", "--ff", "--failed-first", "--collect-only", "--co"}
CHOOSES |= {"--version", "-V", "--markers", "--fixtures"}
NO_WORKERS = {"-n", "--numprocesses", "-p", "-s", "--pdb", "--trace", "--collect-only", "--co"}

# Where the driver could matter: statements of our own, transactions that meet, refusals of a
# constraint, rows in parts, broken connections, reconcile; and each command once through the API.
WITH_PSYCOPG2 = [
    *(f"tests/app/runtime/test_{about}.py" for about in ("bulk", "clock", "driver", "postgres")),
    "tests/app/ops/test_logs.py",
    "tests/app/web/test_unavailable.py",
    "tests/unit/server/test_django_handler.py",
    *(
        f"tests/app/accounts/test_{about}.py"
        for about in ("deactivation", "many_logins", "races", "refresh", "revisions", "tokens")
    ),
    *(
        f"tests/app/sessions_app/test_{about}.py"
        for about in (
            *("announcements", "api_timer", "changes", "constraints", "deletion", "demo"),
            *("export", "idempotency", "images", "quotas", "races", "services_model"),
            *("spaces", "timekeeper"),
        )
    ),
    "tests/app/realtime/test_reconcile.py",
]


@dataclass(frozen=True)
class Request:
    """The arguments of the command."""

    scope: str  # daily, rest or all
    arguments: list[str]  # for pytest
    names_a_part: bool = False  # a file, a folder or a test
    chosen: bool = False  # that, or another way to choose tests

    @classmethod
    def of(cls, arguments: Sequence[str], here: Path, root: Path) -> "Request":
        scope = next((SCOPES[argument] for argument in arguments if argument in SCOPES), "daily")
        rest = [_seen_from(root, a, here) for a in arguments if a not in SCOPES]
        names_a_part = any((root / argument.split("::")[0]).exists() for argument in rest)
        return cls(scope, rest, names_a_part, names_a_part or _has(rest, CHOOSES))

    def options(self) -> list[str]:
        """pytest's options before the paths. A part is sooner done without workers."""
        workers = [] if self.names_a_part or _has(self.arguments, NO_WORKERS) else _workers()
        return workers if self.scope == "daily" else [*workers, MORE_EXAMPLES]

    def paths(self, root: Path) -> list[str]:
        if self.names_a_part:
            return []
        journeys = _daily_journeys(root)
        if self.scope == "rest":
            return [*REST, *(f"--ignore={journey}" for journey in journeys)]
        if self.scope == "all" or self.chosen:
            return [*DAILY, *REST]
        return [*DAILY, *journeys]


def run(request: Request, checkout: Checkout) -> int:
    python, environment = checkout.venv.python, checkout.environment_for_tests()
    if request.chosen:
        become(_pytest(request, checkout.root, python), environment)
    done = Steps()
    for step in steps(request, checkout.root, python):
        if done.run(step, environment) == INTERRUPTED:
            break
    code = done.summary()
    if text := left_out(request):
        say(text)
    return code


def steps(request: Request, root: Path, python: Path) -> list[Step]:
    """The steps of a run of a whole scope."""
    found = [Step("tests", _pytest(request, root, python))]
    if request.scope == "rest":
        found.append(
            Step(
                "generated tests",
                _pytest(request, root, python, [*DAILY, "-m", GENERATED]),
            )
        )
    else:
        found = [*logic_of_the_page(root), *found]
    if request.scope != "daily":
        again = _pytest(request, root, python, WITH_PSYCOPG2)
        found.append(Step("tests with psycopg2", again, {"DB_DRIVER": "psycopg2"}))
    return found


def _pytest(
    request: Request, root: Path, python: Path, paths: Sequence[str] | None = None
) -> list[str]:
    given = request.paths(root) if paths is None else paths
    return [str(python), "-m", "pytest", *request.options(), *given, *request.arguments]


def logic_of_the_page(root: Path) -> list[Step]:
    """The tests of the page's own modules, where Node is there: nothing else needs it."""
    files = sorted(map(str, (root / "tests" / "client").glob("*.test.mjs")))
    node = shutil.which("node")
    return [Step("logic of the page", [node, "--test", *files], quiet=True)] if node else []


def left_out(request: Request) -> str:
    """The tests that a run of this scope leaves out, and how to run them; empty if none."""
    daily = LEFT_OUT if request.scope == "daily" else ""
    no_node = NO_NODE if request.scope != "rest" and shutil.which("node") is None else ""
    return " ".join(filter(None, (daily, no_node)))


def _daily_journeys(root: Path) -> list[str]:
    files = sorted((root / "tests" / "system").rglob("test_*.py"))
    return [str(file.relative_to(root)) for file in files if DAILY_MARK in file.read_text()]


def _has(arguments: Sequence[str], options: Set[str]) -> bool:
    """Whether one of the options is given, also as `--option=value` or `-ovalue`."""
    return any(
        argument.split("=")[0] in options or (argument[:2] in options and argument[:2] != "--")
        for argument in arguments
    )


def _workers() -> list[str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ["-n", str(min(MOST_WORKERS, (cores or 1) + WAITING))]


def _seen_from(root: Path, argument: str, here: Path) -> str:
    """A path that was typed in another folder than the checkout's."""
    path, separator, rest = argument.partition("::")
    if path and not path.startswith("-") and not (root / path).exists() and (here / path).exists():
        return f"{here / path}{separator}{rest}"
    return argument
