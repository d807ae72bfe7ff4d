"""The message where there is no browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_without_chromium_the_message_says_how_to_install_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.browser.chromium"],
        env=os.environ | {"CHROMIUM": "not-there"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "apt install chromium" in done.stderr
