"""The Chromium of this machine: where it is, and how it is started. None is ever downloaded."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

MISSING = "There is no Chromium: install it (Debian: apt install chromium), or set CHROMIUM."
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--font-render-hinting=none",  # letters as wide on each machine
)


def find() -> str | None:
    """Its program: that of $CHROMIUM, or one on the PATH."""
    given = os.environ.get("CHROMIUM")
    if given:
        return shutil.which(given)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    arguments = [*ARGUMENTS]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # its sandbox refuses to work for root
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find(), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


if __name__ == "__main__":
    sys.exit(None if find() else MISSING)
