"""A text of a user is shown as text: none becomes an element of the page."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.page import Window
from tests.browser.test_account import another_login
from tests.browser.test_account import opened as account
from tests.browser.test_connection import frames
from tests.browser.test_connection import opened as trace
from tests.support.devices import Person

HOSTILE = [
    '"><img src=x onerror="window.taken = 1">',
    "<script>window.taken = 1</script>",
    "<svg><a xlink:href=javascript:taken=1>{{7*7}}${7*7}",
]


async def is_only_text(window: Window) -> None:
    """Nothing of it runs, or is an element. (Of a refused script the console would complain.)"""
    found = await window.page.evaluate(
        "() => [typeof window.taken, document.querySelectorAll("
        "'img[src=x], body script:not([src]), svg a:not([href])').length]"
    )
    assert found == ["undefined", 0]


@pytest.mark.parametrize("text", HOSTILE)
async def test_text_stays_text_in_every_view(laptop: Window, ada: Person, text: str) -> None:
    await another_login(ada.id, text[:64])
    await laptop.new_session(text, 25, [(text, 5)], start=True)
    await expect(laptop.countdown.get_by_text(text)).to_be_visible()
    await is_only_text(laptop)
    await laptop.page.reload()
    await laptop.has_loaded()
    await expect(laptop.countdown.get_by_text(text)).to_be_visible()
    await laptop.press("Finish")
    await laptop.lists(text, saying="finished")
    await is_only_text(laptop)
    dialog = await account(laptop)
    await expect(dialog.get_by_text(text[:64])).to_be_visible()
    await is_only_text(laptop)
    await laptop.page.keyboard.press("Escape")
    dialog = await trace(laptop)
    await frames(dialog, "finished").first.click()
    await expect(dialog.get_by_text(text[:20]).first).to_be_visible()
    await is_only_text(laptop)
