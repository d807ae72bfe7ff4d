"""The supervisor of `./space run`: restarts, and health checks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local.part import Part, wait_for
from local.supervisor import CHECK_INTERVAL_S, MAX_FAILED_CHECKS, PAUSES, Watched


@pytest.fixture
def watched(tmp_path: Path):
    """A part that does nothing; the test says whether it is healthy."""
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    part = Part(
        "server", command, tmp_path / "log", {}, Part.is_alive, is_healthy=lambda: part.healthy
    )
    part.healthy = True
    part.start()
    yield Watched(part, lambda: None)
    part.stop()


def checks(watched: Watched, times: int, *, healthy: bool, now: float = 0.0) -> None:
    watched.part.healthy = healthy
    for number in range(1, times + 1):
        watched.check(now + number * CHECK_INTERVAL_S)
        assert wait_for(lambda: not watched.checking, 5)


def test_a_part_that_fails_checks_for_a_minute_is_killed_and_started_again(watched, capsys):
    checks(watched, 20, healthy=True)
    checks(watched, MAX_FAILED_CHECKS - 1, healthy=False, now=300)
    assert watched.part.is_alive()
    first = watched.part.pid
    checks(watched, 1, healthy=False, now=400)
    assert wait_for(lambda: not watched.part.is_alive(), 5)
    assert "does not respond, killing it" in capsys.readouterr().err
    watched.check(1000)
    watched.check(1000 + PAUSES[0])
    assert watched.part.is_alive()
    assert watched.part.pid != first
    assert (watched.failed_checks, watched.was_healthy) == (0, False)


def test_a_part_that_was_never_healthy_is_not_killed(watched):
    checks(watched, 3 * MAX_FAILED_CHECKS, healthy=False)
    assert watched.part.is_alive()


def test_a_passed_check_forgets_the_failed_ones(watched):
    for now in (0, 100, 200):
        checks(watched, 1, healthy=True, now=now)
        checks(watched, MAX_FAILED_CHECKS - 1, healthy=False, now=now + 10)
    assert watched.part.is_alive()
