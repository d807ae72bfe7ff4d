"""Everything can be done without a mouse, and the focus is always visible."""

from __future__ import annotations

import re

from playwright.async_api import Locator, expect

from tests.browser.page import (
    EMAIL,
    NAME,
    PASSWORD,
    PASSWORD_LABEL,
    SESSION_TITLE,
    SIGN_UP,
    TO_SIGN_UP,
    Window,
)
from tests.browser.windows import Windows
from tests.support.servers import Server

MOST_STOPS = 60  # of the Tab key, until one should have been everywhere

# Whether the element, or one inside it, is drawn differently with the focus.
SHOWS_FOCUS = """(element) => {
  const styles = () => [element, ...element.querySelectorAll("*")].map((part) => {
    const s = getComputedStyle(part);
    return [s.outline, s.boxShadow, s.stroke, s.strokeWidth, s.fill, s.background, s.border];
  }).join();
  const focused = styles();
  element.blur();
  const blurred = styles();
  element.focus();
  return element.matches(":focus-visible") && focused !== blurred;
}"""
WHERE = "document.activeElement?.outerHTML.slice(0, 120)"


async def tab_to(window: Window, target: Locator) -> None:
    """Press Tab until it is there; each place on the way must show that it has the focus."""
    for _ in range(MOST_STOPS):
        if await target.evaluate("(element) => element === document.activeElement"):
            return
        await window.page.keyboard.press("Tab")
        focused = window.page.locator(":focus")
        if await focused.count():
            assert await focused.evaluate(SHOWS_FOCUS), await window.page.evaluate(WHERE)
    raise AssertionError(f"Tab does not lead to {target}")


async def type_into(window: Window, target: Locator, text: str) -> None:
    await tab_to(window, target)
    await window.page.keyboard.press("Control+A")
    await window.page.keyboard.type(text)


async def press(window: Window, target: Locator, key: str = "Enter") -> None:
    await tab_to(window, target)
    await window.page.keyboard.press(key)


async def test_from_sign_up_to_a_star_with_the_keyboard_alone(
    windows: Windows, one: Server
) -> None:
    window = await windows.open(one.base)
    page, keys = window.page, window.page.keyboard
    if not await page.get_by_role("button", name=SIGN_UP).is_visible():
        await press(window, page.get_by_role("button", name=TO_SIGN_UP))
    await type_into(window, page.get_by_label(NAME), "grace")
    await type_into(window, page.get_by_label(EMAIL), "grace@example.org")
    await type_into(window, page.get_by_label(PASSWORD_LABEL), PASSWORD)
    await keys.press("Enter")
    await window.is_connected()

    await type_into(window, window.compose.get_by_label(SESSION_TITLE), "Write")
    await press(window, window.compose.get_by_role("button", name=re.compile("later", re.I)))
    await window.lists("Write")
    await press(window, window.sessions.get_by_role("button", name="Start Write"), "Space")
    await window.counts("Write")

    countdown = window.countdown
    await press(window, countdown.get_by_role("button", name="Pause"), "Space")
    await window.stands_still()
    await press(window, countdown.get_by_role("button", name="Resume"))
    await window.counts("Write")
    await press(window, countdown.get_by_role("button", name="+5 min"), "Space")
    await expect(window.digits).to_have_text(re.compile("^(29|30):"))

    await press(window, countdown.get_by_role("button", name="Cancel"))
    await expect(window.dialog).to_be_visible()
    await expect(window.dialog.locator(":focus")).to_have_count(1)  # the focus went along
    await keys.press("Escape")
    await expect(window.dialog).to_be_hidden()
    await expect(countdown.get_by_role("button", name="Cancel")).to_be_focused()  # and came back

    await press(window, countdown.get_by_role("button", name="Finish"), "Space")
    await window.lists("Write", saying="finished")
    await press(window, window.sessions.get_by_role("button", name="Repeat Write"))
    await expect(window.row("Write")).to_have_count(2)


async def test_the_sky_is_one_tab_stop_and_the_arrow_keys_move_between_stars(
    laptop: Window,
) -> None:
    for title in ("Write", "Read"):
        await laptop.new_session(title, 25, start=True)
        await laptop.counts(title)
        await laptop.press("Finish")
        await laptop.lists(title, saying="finished")
    await expect(laptop.body("Read").first).to_be_visible()
    bodies = laptop.sky.locator("[tabindex='0']")
    await tab_to(laptop, bodies.first)
    first = await _focused_name(laptop)
    await laptop.page.keyboard.press("ArrowRight")
    second = await _focused_name(laptop)
    assert first != second
    assert {first.split()[0], second.split()[0]} == {"Write", "Read"}
    await laptop.page.keyboard.press("ArrowLeft")
    assert await _focused_name(laptop) == first


async def test_a_star_leads_to_its_session_and_escape_leads_back(laptop: Window) -> None:
    await laptop.new_session("Write", 25, start=True)
    await laptop.counts("Write")
    await laptop.press("Finish")
    await press(laptop, laptop.body("Write").first)
    await expect(laptop.dialog).to_contain_text("Write")
    await laptop.page.keyboard.press("Escape")
    await expect(laptop.dialog).to_be_hidden()
    await expect(laptop.body("Write").first).to_be_focused()


async def _focused_name(window: Window) -> str:
    return await window.page.locator(":focus").get_attribute("aria-label") or ""


async def test_the_focus_moves_to_the_next_step(windows: Windows, one: Server) -> None:
    window = await windows.open(one.base)
    await window.sign_up("emmy")
    title = window.compose.get_by_label(SESSION_TITLE)
    await title.fill("Write")
    await title.press("Enter")
    await expect(window.countdown.get_by_role("button", name="Pause")).to_be_focused()
    await window.countdown.get_by_role("button", name="Finish").press("Enter")
    await expect(window.page.get_by_role("button", name="Start again")).to_be_focused()


async def test_the_icon_is_at_the_address_that_browsers_request(
    windows: Windows, one: Server
) -> None:
    window = await windows.open(one.base)
    answer = await window.page.request.get(f"{one.base}/favicon.ico")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
