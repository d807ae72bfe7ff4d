"""axe finds no fault in any state of the page, in light and dark, on a phone and on a desk."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser import axe
from tests.browser.page import Window
from tests.browser.windows import Scheme, Windows
from tests.support.devices import Person
from tests.support.servers import Server

SIZES = [{"width": 360, "height": 780}, {"width": 1200, "height": 800}]


async def is_accessible(window: Window, state: str) -> None:
    for size in SIZES:
        await window.page.set_viewport_size(size)  # type: ignore[arg-type]
        # A finding that a second run does not have was an animation under way.
        found = await axe.violations(window.page) and await axe.violations(window.page)
        assert not found, f"{state}, {size['width']} px wide:\n" + "\n".join(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(
    scheme: Scheme, windows: Windows, one: Server, ada: Person
) -> None:
    axe.script()  # or there is nothing to find
    signed_out = await windows.open(one.base, scheme=scheme)
    await is_accessible(signed_out, "welcome")
    window = await windows.open(one.base, ada, scheme=scheme)
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
    await window.body("Write").first.click()
    await expect(window.dialog).to_be_visible()
    await is_accessible(window, "one session")
