"""The page fits where it is shown: small and large, by day and by night, enlarged and at rest."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from PIL import Image, ImageStat
from playwright.async_api import expect

from tests.browser.page import Window
from tests.browser.windows import Size, Windows
from tests.support.devices import Person
from tests.support.servers import Server

WIDTHS = [320, 360, 768, 1200]
LETTERS_PX = 16  # a browser's default
DARK, CLEARLY = 60, 30  # of a brightness from 0 to 255; the sky is dark by day, too

# The controls of the page, or of the dialog over it, that a finger cannot use: off the screen,
# covered, or cut off.
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
    windows: Windows, one: Server, ada: Person
) -> None:
    await is_usable_at_every_width(await windows.open(one.base), "welcome")
    long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung und mehr"
    await ada.has_session(long)
    window = await windows.open(one.base, ada)
    await window.lists(long)
    await is_usable_at_every_width(window, "ready")
    await window.press_in_row("Start", long)
    await window.counts(long)
    await is_usable_at_every_width(window, "running")
    await window.press("Finish")
    await window.counts_nothing()
    await is_usable_at_every_width(window, "ended")


@pytest.mark.parametrize(
    ("size", "px"),
    [
        # A browser that enlarges a page of 1280 px shows it as one of 640 px.
        pytest.param((640, 400), LETTERS_PX, id="page"),
        pytest.param((1280, 800), 2 * LETTERS_PX, id="letters"),
    ],
)
async def test_at_200_percent_the_page_can_be_used(
    size: Size, px: int, windows: Windows, one: Server, ada: Person
) -> None:
    await ada.has_session("Read")
    await ada.has_running("Write")
    window = await windows.open(one.base, ada, size=size)
    async with letters_of(window, px):
        await window.counts("Write")
        await is_usable(window, "at 200 %")
        await window.press("Pause")
        await window.stands_still()


@asynccontextmanager
async def letters_of(window: Window, px: int) -> AsyncIterator[None]:
    """As if the user had chosen this size in the settings of the browser."""
    console = await window.page.context.new_cdp_session(window.page)
    await console.send("Page.setFontSizes", {"fontSizes": {"standard": px}})
    assert await window.page.evaluate(FONT_SIZE) == f"{px}px"
    yield
    await console.send("Page.setFontSizes", {"fontSizes": {"standard": LETTERS_PX}})


async def test_light_and_dark_follow_the_system(windows: Windows, one: Server, ada: Person) -> None:
    window = await windows.open(one.base, ada, scheme="dark")
    by_night = await brightness(window)
    await window.page.emulate_media(color_scheme="light")
    assert by_night < DARK
    assert await brightness(window) > by_night + CLEARLY


async def test_the_chosen_theme_wins_over_the_system_and_is_remembered(
    windows: Windows, one: Server, ada: Person
) -> None:
    window = await windows.open(one.base, ada, scheme="dark")
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
    windows: Windows, one: Server, ada: Person
) -> None:
    window = await windows.open(one.base, ada)
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
