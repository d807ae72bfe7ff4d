"""Windows of several browsers, side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urljoin

from playwright.async_api import Browser, Error, Page

from tests.browser.page import LOGIN_KEY, Window
from tests.support.devices import Person

Size = tuple[int, int]
LAPTOP: Size = (1000, 700)
PHONE: Size = (390, 844)
Scheme = Literal["light", "dark"]
BLANK = "/healthz"  # a page of the same origin that does nothing
LOG_IN = "([key, login]) => localStorage.setItem(key, login)"
FORGET = "() => { localStorage.clear(); sessionStorage.clear(); }"


@dataclass
class Windows:
    browser: Browser
    shelf: list[Page]  # blank windows; each is a browser of its own, with its own storage
    all: list[Window] = field(default_factory=list)

    async def open(
        self,
        base: str,
        who: Person | None = None,
        *,
        size: Size = LAPTOP,
        scheme: Scheme = "light",
        moving: bool = False,
    ) -> Window:
        """A window at `base`; `who`, if given, is logged in there.

        Only a `moving` one is animated: without a graphics card each frame is work for the
        processor, and the tests have two windows and two cores.
        """
        page = self.shelf.pop() if self.shelf else await self._new()
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        motion: Literal["no-preference", "reduce"] = "no-preference" if moving else "reduce"
        await page.emulate_media(color_scheme=scheme, reduced_motion=motion)
        window = Window(page)
        self.all.append(window)
        if who is None:
            await window.open(base)
            return window
        await page.goto(f"{base}{BLANK}")
        await page.evaluate(LOG_IN, [LOGIN_KEY, await _login(who)])
        await window.open(base)
        await window.is_connected()
        return window

    async def clear(self) -> None:
        for window in self.all:
            window.stop_listening()
            await self._put_away(window.page)

    async def _new(self) -> Page:
        context = await self.browser.new_context(locale="en-GB")
        return await context.new_page()

    async def _put_away(self, page: Page) -> None:
        await page.context.set_offline(False)
        await page.unroute_all()
        try:
            await page.goto(urljoin(page.url, BLANK))
            await page.evaluate(FORGET)
        except Error:  # its server is gone
            await page.context.close()
        else:
            self.shelf.append(page)


async def _login(who: Person) -> str:
    """The login as the page stores it."""
    async with who.account.http() as http:
        user = (await http.get("/users/me/")).json()
    account = who.account
    return json.dumps({"access": account.access, "refresh": account.refresh, "user": user})
