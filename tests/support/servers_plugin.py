"""Starts PostgreSQL and Valkey for the tests, before Django reads its settings.

Loaded by `-p` in `pyproject.toml`: an ordinary conftest would come too late, because
pytest-django reads the settings while pytest looks for the first conftest.

With pytest-xdist the controller starts the servers and the workers inherit their addresses. Each
worker has its own database (pytest-django's suffix) and its own prefix for channels and cache
keys, since the channels of Redis are shared between its numbered databases.
"""

import os
import sysconfig
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.environment import settings_for_tests, without_foreign
from local.problem import Problem
from local.servers import Programs, throw_away_servers

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests" / "unit"
# Nothing is run with these, so nothing needs to be started.
ONLY_LOOKS = {
    "--help",
    "-h",
    "--version",
    "-V",
    "--collect-only",
    "--co",
    "--fixtures",
    "--markers",
}
NOWHERE = {
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, args: list[str]
) -> Generator[None, object, object]:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        _prepare(early_config, needs_servers=_needs_servers(args))
        worker = "main"
    os.environ["CHANNEL_PREFIX"] = f"{os.environ['SPACE_TEST_RUN']}-{worker}"
    return (yield)


def _needs_servers(args: list[str]) -> bool:
    """Whether a test may run that is not in `tests/unit`."""
    named = [path for arg in args if (path := Path(arg.partition("::")[0])).exists()]
    only_unit = named and all(path.resolve().is_relative_to(UNIT) for path in named)
    return not only_unit and ONLY_LOOKS.isdisjoint(args)


def _prepare(config: pytest.Config, *, needs_servers: bool) -> None:
    os.environ.update(settings_for_tests(ROOT, os.environ))
    for name in os.environ.keys() - without_foreign(os.environ).keys():
        del os.environ[name]
    os.environ["SPACE_TEST_RUN"] = f"space-test-{os.getpid()}"
    if not needs_servers:
        os.environ.update(NOWHERE)
        return
    stack = ExitStack()
    try:
        servers = stack.enter_context(
            throw_away_servers(ROOT / ".space", _installed_servers, os.environ)
        )
    except Problem as problem:
        raise pytest.UsageError(str(problem)) from problem
    config.add_cleanup(stack.close)
    os.environ.update(servers.addresses)


def _installed_servers() -> Programs:
    return Programs.below(Path(sysconfig.get_path("purelib")))
