"""axe has nothing against any state of the page, by day and by night, on a phone and on a desk."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser import axe
from tests.browser.conftest import Desk
from tests.browser.page import Window
from tests.journeys.world import Server
from tests.realtime.world import Person

SIZES = [{"width": 360, "height": 780}, {"width": 1200, "height": 800}]


@pytest.fixture(scope="session")
def script() -> Path:
    return axe.script()


async def is_accessible(window: Window, state: str) -> None:
    for size in SIZES:
        await window.page.set_viewport_size(size)  # type: ignore[arg-type]
        found = await axe.violations(window.page)
        assert not found, f"{state}, {size['width']} px wide:\n" + "\n".join(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(
    scheme: str, script: Path, desk: Desk, one: Server, ada: Person
) -> None:
    stranger = await desk.window(one.base, color_scheme=scheme, scripts=[script])
    await is_accessible(stranger, "welcome")
    window = await desk.window(one.base, ada, color_scheme=scheme, scripts=[script])
    await window.has_loaded()
    await is_accessible(window, "nothing yet")
    await window.new_session("Read", 25)
    await window.lists("Read")
    await window.new_session("Write", 25, [("Outline", 10)], start=True)
    await window.counts("Write")
    await is_accessible(window, "running")
    await window.press("Cancel")
    await expect(window.dialog).to_be_visible()
    await is_accessible(window, "a question")
    await window.page.keyboard.press("Escape")
    await window.press("Pause")
    await window.stands_still()
    await is_accessible(window, "paused")
    await window.press("Finish")
    await window.lists("Write", saying="finished")
    await is_accessible(window, "ended")
