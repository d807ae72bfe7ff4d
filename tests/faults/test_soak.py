"""The soak itself: half a minute of it, with few people."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.stack import ROOT

MINUTES, USERS, SEED = 0.6, 20, 1
DONE_WITHIN_S = 240.0


@pytest.mark.slow
@pytest.mark.timeout(DONE_WITHIN_S + 10)
def test_half_a_minute_of_soak_breaks_nothing(tmp_path: Path) -> None:
    """It has a stack of its own, so that what it does to the stores is nobody else's."""
    file = tmp_path / "soak.json"
    options = ["--users", f"{USERS}", "--seed", f"{SEED}", "--json", f"{file}"]
    soak = [sys.executable, "-m", "tests.faults.soak", f"{MINUTES}", *options]
    done = subprocess.run(
        soak, cwd=ROOT, capture_output=True, text=True, timeout=DONE_WITHIN_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())
    assert sum(found["faults"].values()) >= 2
    assert found["ended"] > 0
    assert not any(found["audit"].values())
