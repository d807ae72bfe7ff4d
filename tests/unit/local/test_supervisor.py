"""What dies is started again; what stands is killed first."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local import supervisor
from local.part import Part, wait_for
from local.supervisor import ASK_EVERY, MOST_NOES, Watched


@pytest.fixture
def watched(tmp_path: Path):
    """A part that does nothing; the test says whether it is well."""
    part = Part(
        "server",
        [sys.executable, "-S", "-c", "import time; time.sleep(60)"],
        tmp_path / "log",
        {},
        Part.is_alive,
        is_well=lambda: part.well,
    )
    part.well = True
    part.start()
    yield Watched(part, lambda: None)
    part.stop()


def looks(watched: Watched, times: int, now: float = 0.0) -> None:
    for number in range(1, times + 1):
        watched.look(now + number * ASK_EVERY)
        assert wait_for(lambda: not watched.asking, 5)


def test_who_is_well_is_left_alone(watched, monkeypatch):
    looks(watched, 20)
    assert watched.part.is_alive()


def test_who_stands_for_a_minute_is_killed_and_started_again(watched, capsys):
    looks(watched, 1)
    watched.part.well = False
    looks(watched, MOST_NOES - 1, now=100)
    assert watched.part.is_alive()
    first = watched.part.pid
    looks(watched, 1, now=200)
    assert wait_for(lambda: not watched.part.is_alive(), 5)
    assert "stands still, killing it" in capsys.readouterr().err
    watched.look(1000)
    watched.look(1000 + supervisor.PAUSES[0])
    assert watched.part.is_alive()
    assert watched.part.pid != first
    assert (watched.noes, watched.was_well) == (0, False)


def test_who_is_slow_to_begin_is_not_blamed(watched):
    watched.part.well = False
    looks(watched, 3 * MOST_NOES)
    assert watched.part.is_alive()


def test_a_few_noes_mean_nothing(watched):
    for now in (0, 100, 200):
        watched.part.well = True
        looks(watched, 1, now=now)
        watched.part.well = False
        looks(watched, MOST_NOES - 1, now=now + 10)
    assert watched.part.is_alive()
