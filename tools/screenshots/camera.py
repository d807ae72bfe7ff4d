"""Takes the README's pictures of a Space that is running: `./space screenshots` starts one for it.

    python -m tools.screenshots.camera ADDRESS USER PASSWORD FOLDER

A laptop and a phone of the same user are stopped in the same second of their countdown, in light
and in dark, photographed, and put side by side.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import Browser, Locator, expect

from tests.browser import chromium
from tests.browser.page import Window

Scheme = Literal["light", "dark"]
LAPTOP, PHONE = (1280, 800), (390, 844)
SHARPNESS = 2  # pixels of the picture for each of the page
QUALITY = 80
ENOUGH_STARS = 6  # else it is early in the month, and the one before shows more
POLL_INTERVAL_S = 0.03

SIDE_BY_SIDE = """
<style>
  body { margin: 0; width: 1120px; height: 660px; position: relative; overflow: hidden; }
  img { position: absolute; display: block; box-sizing: border-box; }
  .laptop { left: 16px; top: 16px; width: 984px; border: 8px solid #1a1c26; border-radius: 18px;
            box-shadow: 0 10px 24px rgb(0 0 0 / .28); }
  .phone { right: 16px; bottom: 16px; width: 232px; border: 7px solid #1a1c26;
           border-radius: 34px; box-shadow: 0 10px 28px rgb(0 0 0 / .42); }
</style>
<img class="laptop" src="data:image/png;base64,%s">
<img class="phone" src="data:image/png;base64,%s">
"""


@dataclass
class Pair:
    """Two devices of one user."""

    laptop: Window
    phone: Window

    async def stopped_together(self) -> None:
        """Both show the same second, a round one, and no later one will come."""
        for last in (1, 0):  # then a round second has just begun
            while await self.laptop.seconds() % 10 != last:  # noqa: ASYNC110 -- it is another process
                await asyncio.sleep(POLL_INTERVAL_S)
        await asyncio.gather(_stop(self.laptop), _stop(self.phone))
        here, there = await asyncio.gather(self.laptop.seconds(), self.phone.seconds())
        if here != there:
            raise TimeoutError(f"Too busy a machine: {here} s here, {there} s there. Try again.")

    async def photographed(self) -> tuple[bytes, bytes]:
        laptop = await self.laptop.page.screenshot()
        return laptop, await self.phone.page.screenshot()


async def take(address: str, user: str, password: str, folder: Path) -> None:
    async with chromium.launched() as browser:
        for scheme in ("dark", "light"):
            pair = Pair(
                await _window(browser, address, user, password, LAPTOP, scheme),
                await _window(browser, address, user, password, PHONE, scheme),
            )
            await pair.stopped_together()
            laptop, phone = await pair.photographed()
            _keep(laptop, folder / f"laptop-{scheme}.webp")
            _keep(phone, folder / f"phone-{scheme}.webp")
            _keep(await _side_by_side(browser, laptop, phone), folder / f"both-{scheme}.webp")
            await pair.laptop.page.context.close()
            await pair.phone.page.context.close()


async def _window(
    browser: Browser,
    address: str,
    user: str,
    password: str,
    size: tuple[int, int],
    scheme: Scheme,
) -> Window:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=SHARPNESS,
        color_scheme=scheme,
        reduced_motion="reduce",  # nothing half-way
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    window = Window(await context.new_page())
    await window.open(address)
    await window.sign_in(user, password)
    await expect(window.digits).to_be_visible()
    await expect(window.sessions.get_by_role("listitem").nth(2)).to_be_visible()  # they have come
    await _show_many_stars(window)
    await window.page.evaluate("document.activeElement?.blur()")
    await window.page.evaluate("scrollTo(0, 0)")
    return window


async def _stop(window: Window) -> None:
    """The page stays as it is: none of its scripts runs any more."""
    console = await window.page.context.new_cdp_session(window.page)
    await console.send("Emulation.setScriptExecutionDisabled", {"value": True})


async def _show_many_stars(window: Window) -> None:
    earlier = window.sky.get_by_role("button", name=re.compile("^Earlier"))
    while await _stars(window.sky).count() < ENOUGH_STARS and await earlier.is_enabled():
        await earlier.click()


def _stars(sky: Locator) -> Locator:
    return sky.get_by_label(re.compile(r"\b(star|planet)\b"))


async def _side_by_side(browser: Browser, laptop: bytes, phone: bytes) -> bytes:
    context = await browser.new_context(
        viewport={"width": 1120, "height": 660}, device_scale_factor=SHARPNESS
    )
    page = await context.new_page()
    await page.set_content(SIDE_BY_SIDE % (_text(laptop), _text(phone)))
    picture = await page.screenshot(omit_background=True)
    await context.close()
    return picture


def _text(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def _keep(png: bytes, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(png)).save(file, quality=QUALITY, method=6)
    print(f"{file} ({file.stat().st_size // 1024} KB)", flush=True)


if __name__ == "__main__":
    address, user, password, folder = sys.argv[1:]
    asyncio.run(take(address, user, password, Path(folder)))
