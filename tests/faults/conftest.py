"""The stores of all tests of faults, and the figures that each of them measures."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from tests.faults.measured import Measured
from tests.faults.stack import Ground, Stack, ground, stack

HERE = Path(__file__).parent
RESULTS = os.environ.get("SPACE_FAULTS_RESULTS")  # the folder in which `./space faults` looks
logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request of a crowd
_reports = pytest.StashKey[dict[str, str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow rows run in `./space faults`, or when the command line names their file."""
    named = any("test_" in argument and "faults" in argument for argument in config.args)
    if RESULTS or named:
        return
    slow = [i for i in items if i.path.is_relative_to(HERE) and i.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash.setdefault(_reports, {})[report.when] = report.outcome
    return report


@pytest.fixture(scope="session")
def _ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("ground")) as made:
        yield made


@pytest.fixture
def space(_ground: Ground, tmp_path: Path) -> Iterator[Stack]:
    """Nothing runs on it yet: see `server` and `timekeeper`."""
    with stack(_ground, tmp_path) as made:
        yield made


@pytest.fixture
def measured(request: pytest.FixtureRequest, space: Stack) -> Iterator[Measured]:
    """After the test the audit is made, and must be all zeros."""
    mark = request.node.get_closest_marker("fault")
    assert mark is not None, "a test of a fault says which: @pytest.mark.fault(what, promise)"
    what, promise = mark.args
    made = Measured(what, promise, request.node.nodeid)
    yield made
    made.outcome = request.node.stash.get(_reports, {}).get("call", "failed")
    try:
        if made.outcome == "passed":
            made.audited(space.audit(), len(space.lateness_ms()))
    except BaseException:
        made.outcome = "failed"
        raise
    finally:
        if RESULTS:
            made.save(Path(RESULTS))


@pytest.fixture
def by_the_rules_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames and answers are not held against the documents of the API, as in all other tests.

    Where there are very many, that takes the devices' program more time than all else.
    """
    for where, name in ((ClientConnection, "recv"), (httpx.AsyncClient, "send")):
        monkeypatch.setattr(where, name, inspect.unwrap(getattr(where, name)))


__all__: Sequence[str] = ()
