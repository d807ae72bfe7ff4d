"""`./space check`: all that CI runs, each step with its time, and a summary at the end."""

import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.checkout import Checkout
from local.console import say
from local.environment import settings_for_tests
from local.foreground import run_in_foreground
from local.pytest_arguments import for_the_whole_suite

# Where the driver could matter: statements of our own, transactions that meet, what a constraint
# refuses, rows in parts, broken connections, reconcile; and each command once through the API.
WITH_PSYCOPG2 = [
    *(f"tests/app/runtime/test_{about}.py" for about in ("bulk", "clock", "driver", "postgres")),
    "tests/app/ops/test_logs.py",
    "tests/app/web/test_unavailable.py",
    "tests/unit/server/test_one_thread.py",
    *(
        f"tests/app/accounts/test_{about}.py"
        for about in ("arrivals", "deactivation", "many_logins", "moved", "races", "refresh")
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
class Step:
    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs_servers: bool = True  # the tests start their own


def check(checkout: Checkout, *, with_tests: bool) -> int:
    """0 if all steps have passed. A failure does not keep the others from running."""
    results = []
    for_tests = checkout.environment_for_tests()
    with checkout.throw_away_servers() as servers:
        for_tools = {**for_tests, **settings_for_tests(checkout.root, for_tests)}
        for_tools |= servers.addresses
        for step in steps(checkout):
            if step.name == "tests" and not with_tests:
                continue
            environment = for_tools if step.needs_servers else for_tests
            results.append(_run(step, {**environment, **step.environment}))
    say("\nSummary")
    for name, passed, seconds in results:
        say(f"  {'ok    ' if passed else 'FAILED'} {seconds:6.1f} s  {name}")
    return 0 if all(passed for _, passed, _ in results) else 1


def steps(checkout: Checkout) -> list[Step]:
    bin_ = checkout.venv.python.parent
    ruff, mypy, lint_imports = (str(bin_ / tool) for tool in ("ruff", "mypy", "lint-imports"))
    pytest = [str(checkout.venv.python), "-m", "pytest"]
    manage = checkout.manage_command
    return [
        Step("format", [ruff, "format", "--check", "."]),
        Step("lint", [ruff, "check", "."]),
        Step("types", [mypy]),
        Step("imports", [lint_imports]),
        Step("migrations", manage("makemigrations", "--check", "--dry-run")),
        Step("schemas", manage("export_schemas", "--check")),
        Step("settings", manage("export_settings", "--check")),
        Step("deployment", manage("check", "--deploy", "--fail-level", "WARNING"), production()),
        *logic_of_the_page(checkout),
        Step("tests", [*pytest, *for_the_whole_suite()], needs_servers=False),
        Step(
            "tests with psycopg2",
            [*pytest, *for_the_whole_suite(), *WITH_PSYCOPG2],
            {"DB_DRIVER": "psycopg2"},
            needs_servers=False,
        ),
    ]


def logic_of_the_page(checkout: Checkout) -> list[Step]:
    """The tests of the page's own modules, where Node is there: nothing else needs it."""
    tests = sorted(map(str, (checkout.root / "tests" / "client").glob("*.test.mjs")))
    node = shutil.which("node")
    if node is None:
        say("Without Node the logic of the page is not tested (tests/client).")
        return []
    return [Step("page", [node, "--test", *tests])]


def production() -> dict[str, str]:
    """Settings as a real deployment has them."""
    return {
        "SPACE_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "TOKEN_SIGNING_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": "space.example",
        "PUBLIC_URL": "https://space.example",
        "EMAIL_URL": "smtp+ssl://space:password@mail.example:465",
    }


def _run(step: Step, environment: Mapping[str, str]) -> tuple[str, bool, float]:
    say(f"\n--- {step.name}")
    started = time.monotonic()
    code = run_in_foreground(step.command, environment)
    seconds = time.monotonic() - started
    say(f"--- {step.name}: {'ok' if code == 0 else f'FAILED (exit code {code})'}, {seconds:.1f} s")
    return step.name, code == 0, seconds
