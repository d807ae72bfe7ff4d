"""axe-core, from npm: only for these tests, so it is installed once, into `.space/`."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.async_api import Page

VERSION = "4.14.1"
HOME = Path(__file__).resolve().parents[2] / ".space" / "npm"
SCRIPT = HOME / f"axe-core-{VERSION}" / "node_modules" / "axe-core" / "axe.min.js"
INSTALL_WITHIN_S = 25
FAILED = HOME / "failed"  # why npm failed: the other tests of the run do not try again
RETRY_AFTER_S = 300
RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id}: ${help}: ${node.html} (${node.any[0]?.message ?? ""})`));
}"""


def script() -> Path:
    """The file, installed if it is not there. Skips the test where that cannot be done."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker installs, the others wait for it
        if not SCRIPT.exists():
            if FAILED.exists() and time.time() - FAILED.stat().st_mtime < RETRY_AFTER_S:
                _without(FAILED.read_text())
            _install()
    return SCRIPT


async def violations(page: Page) -> list[str]:
    """The findings of axe for the page as it is now."""
    if not await page.evaluate("'axe' in window"):
        console = await page.context.new_cdp_session(page)  # is not bound by the page's policy
        await console.send("Runtime.evaluate", {"expression": script().read_text()})
    found: list[str] = await page.evaluate(RUN)
    return found


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        _without("npm is not here, and axe-core comes from it.")
    folder = SCRIPT.parents[2]
    folder.mkdir(exist_ok=True)
    command: list[str | Path] = [
        npm,
        "install",
        "--prefix",
        folder,
        "--no-save",
        "--no-audit",
        "--no-fund",
    ]
    command += ["--ignore-scripts", f"axe-core@{VERSION}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        _failed(f"npm did not install axe-core within {INSTALL_WITHIN_S} s.")
    if done.returncode != 0 or not SCRIPT.exists():
        _failed(f"npm could not install axe-core: {done.stderr.strip()}")


def _failed(reason: str) -> NoReturn:
    FAILED.write_text(reason)
    _without(reason)


def _without(reason: str) -> NoReturn:
    """In CI a missing check is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
