"""`./space check`: every check that a change must pass, tests included."""

import secrets

from local import tests
from local.checkout import Checkout
from local.console import say
from local.environment import settings_for_tests
from local.steps import Step, Steps


def check(checkout: Checkout, *, with_tests: bool) -> int:
    """0 if all steps have passed."""
    done = Steps()
    for_tests = checkout.environment_for_tests()
    with checkout.throw_away_servers() as servers:
        for_tools = {**for_tests, **settings_for_tests(checkout.root, for_tests)}
        for_tools |= servers.addresses
        for step in steps(checkout):
            done.run(step, for_tools)
    if with_tests:  # they start servers of their own
        everything = tests.Request("all", [])
        for step in tests.steps(everything, checkout.root, checkout.venv.python):
            done.run(step, for_tests)
    code = done.summary()
    if with_tests and (text := tests.left_out(everything)):
        say(text)
    return code


def steps(checkout: Checkout) -> list[Step]:
    bin_ = checkout.venv.python.parent
    ruff, mypy, lint_imports = (str(bin_ / tool) for tool in ("ruff", "mypy", "lint-imports"))
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
    ]


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
