"""The page fits where it is shown: small and large, by day and by night, enlarged and at rest."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from PIL import Image, ImageStat
from playwright.async_api import expect

from tests.browser.page import Window
from tests.browser.windows import Desk
from tests.support.devices import Person
from tests.support.servers import Server

WIDTHS = [320, 360, 768, 1200]
LETTERS_PX = 16  # of a browser that nobody has changed
DARK, CLEARLY = 60, 30  # of a brightness from 0 to 255; the sky is dark by day, too

# What of the page, or of the dialog over it, cannot be used with a finger: off the screen, behind
# something, or cut off.
OUT_OF_REACH = """() => {
  const over = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document;
  const all = over.querySelectorAll("button, input, select, textarea, a[href], summary");
  const problem = (element) => {
    element.scrollIntoView({ block: "center", behavior: "instant" });
    const box = element.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    if (box.left < -1 || box.right > innerWidth + 1) return "is off the screen";
    const there = document.elementFromPoint(x, y);
    if (!there || !(element.contains(there) || there.contains(element))) return "is covered";
    if (element.localName === "button" && element.scrollWidth > element.clientWidth + 1)
      return "is cut off";
    return null;
  };
  const shown = [...all].filter((element) => element.checkVisibility({
    visibilityProperty: true, opacityProperty: true }));
  return shown.map((element) => [element, problem(element)]).filter(([, what]) => what)
    .map(([element, what]) => `${element.outerHTML.slice(0, 140)} ${what}`);
}"""


FONT_SIZE = "getComputedStyle(document.documentElement).fontSize"


async def is_usable(window: Window, when: str) -> None:
    assert not await window.scrolls_sideways(), f"{when}: the page scrolls sideways"
    assert await window.page.evaluate(OUT_OF_REACH) == [], when


async def brightness(window: Window) -> float:
    """0 for a black window, 255 for a white one."""
    png = await window.page.screenshot()
    return ImageStat.Stat(Image.open(io.BytesIO(png)).convert("L")).mean[0]


async def is_usable_at_every_width(window: Window, state: str) -> None:
    for width in WIDTHS:
        await window.page.set_viewport_size({"width": width, "height": 720})
        await is_usable(window, f"{state} at {width} px")


async def test_at_every_width_all_is_in_reach_and_nothing_scrolls_sideways(
    desk: Desk, one: Server, ada: Person
) -> None:
    await is_usable_at_every_width(await desk.window(one.base), "welcome")
    long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung und mehr"
    await ada.has_session(long)
    window = await desk.window(one.base, ada)
    await window.lists(long)
    await is_usable_at_every_width(window, "ready")
    await window.press_in_row("Start", long)
    await window.counts(long)
    await is_usable_at_every_width(window, "running")
    await window.press("Finish")
    await window.counts_nothing()
    await is_usable_at_every_width(window, "ended")


async def test_a_page_enlarged_to_200_percent_can_be_used(
    desk: Desk, one: Server, ada: Person
) -> None:
    await ada.has_session("Read")
    await ada.has_running("Write")
    # A browser that enlarges a page of 1280 px shows it as one of 640 px.
    window = await desk.window(one.base, ada, size=(640, 400))
    await window.counts("Write")
    await is_usable(window, "enlarged")
    await window.press("Pause")
    await window.stands_still()


async def test_with_letters_of_200_percent_it_can_be_used(
    desk: Desk, one: Server, ada: Person
) -> None:
    await ada.has_session("Read")
    await ada.has_running("Write")
    window = await desk.window(one.base, ada, size=(1280, 800))
    async with letters_of(window, 2 * LETTERS_PX):
        await window.counts("Write")
        await is_usable(window, "with large letters")
        await window.press("Pause")
        await window.stands_still()


@asynccontextmanager
async def letters_of(window: Window, px: int) -> AsyncIterator[None]:
    """Somebody has chosen this size in the settings of the browser."""
    console = await window.page.context.new_cdp_session(window.page)
    await console.send("Page.setFontSizes", {"fontSizes": {"standard": px}})
    assert await window.page.evaluate(FONT_SIZE) == f"{px}px"
    yield
    await console.send("Page.setFontSizes", {"fontSizes": {"standard": LETTERS_PX}})


async def test_light_and_dark_follow_the_system(desk: Desk, one: Server, ada: Person) -> None:
    window = await desk.window(one.base, ada, scheme="dark")
    by_night = await brightness(window)
    await window.page.emulate_media(color_scheme="light")
    assert by_night < DARK
    assert await brightness(window) > by_night + CLEARLY


async def test_the_chosen_theme_wins_over_the_system_and_is_remembered(
    desk: Desk, one: Server, ada: Person
) -> None:
    window = await desk.window(one.base, ada, scheme="dark")
    await window.choose_theme("light")
    by_day = await brightness(window)
    await window.page.reload()
    await window.is_connected()
    assert abs(await brightness(window) - by_day) < CLEARLY
    await window.choose_theme("dark")
    assert await brightness(window) < by_day - CLEARLY
    await window.page.emulate_media(color_scheme="light")
    assert await brightness(window) < by_day - CLEARLY
    await window.choose_theme("system")
    assert abs(await brightness(window) - by_day) < CLEARLY


async def test_with_reduced_motion_nothing_moves_by_itself(
    desk: Desk, one: Server, ada: Person
) -> None:
    window = await desk.window(one.base, ada)
    await window.new_session("Write", 25, start=True)
    await window.counts("Write")
    assert await _moving(window) == []
    await window.press("Cancel")
    await expect(window.dialog).to_be_visible()
    assert await _moving(window) == []
    await window.page.keyboard.press("Escape")
    await window.press("Finish")
    await expect(window.body("Write").first).to_be_visible()
    assert await _moving(window) == []


async def _moving(window: Window) -> list[str]:
    script = """() => document.getAnimations()
      .filter((animation) => animation.playState === "running")
      .map((animation) => animation.animationName ?? animation.transitionProperty ?? "?")"""
    moving: list[str] = await window.page.evaluate(script)
    return moving
