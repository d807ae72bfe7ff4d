"""A browser for all tests here; windows, and people who look at them, for each."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from local.part import Part
from tests.browser import chromium
from tests.browser.page import Window, login_state
from tests.journeys.world import Server, timekeeper
from tests.realtime.world import Person, person

HERE = Path(__file__).parent
# Two windows that move at every frame, painted without a graphics card, would keep two cores busy.
QUIET = {
    "locale": "en-GB",
    "reduced_motion": "reduce",
    "viewport": {"width": 1000, "height": 700},
}
in_one_loop = partial(pytest_asyncio.fixture, loop_scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """The browser lives in one event loop, and so does all that talks to it."""
    mark = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(mark, append=False)


@in_one_loop(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if chromium.find() is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(chromium.MISSING)
    async with chromium.launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def keeper(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> Iterator[Part]:
    """A timekeeper, not longer than for one module: it would do the work of other tests."""
    with timekeeper(tmp_path_factory.mktemp("keeper")) as keeper:
        yield keeper


@dataclass
class Desk:
    """Where windows are opened."""

    browser: Browser
    windows: list[Window]

    async def window(self, base: str, who: Person | None = None, **options: Any) -> Window:
        """A window of a browser of its own, at `base`; somebody may be logged in there.

        `options` are those of a context of Playwright, such as `viewport` and `color_scheme`, and
        `scripts` that run in the page before its own.
        """
        if who is not None:
            options["storage_state"] = login_state(base, await self._login(who))
        scripts: Sequence[Path] = options.pop("scripts", ())
        context = await self.browser.new_context(**{**QUIET, **options})
        for script in scripts:
            await context.add_init_script(path=script)
        window = await self.another(Window(await context.new_page()))
        await window.open(base)
        if who is not None:
            await window.is_connected()
        return window

    async def another(self, window: Window) -> Window:
        self.windows.append(window)
        return window

    async def _login(self, who: Person) -> dict[str, Any]:
        async with who.account.http() as http:
            user = (await http.get("/users/me/")).json()
        return {"access": who.account.access, "refresh": who.account.refresh, "user": user}


@in_one_loop()
async def desk(browser: Browser, transactional_db: None) -> AsyncIterator[Desk]:
    """Opens windows, closes them, and asks that none of them had anything to complain of."""
    desk = Desk(browser, [])
    yield desk
    for window in desk.windows:
        await window.context.close()
    complaints = [complaint for window in desk.windows for complaint in window.complaints]
    assert not complaints, complaints


@in_one_loop()
async def ada(one: Server) -> Person:
    """Somebody with an account."""
    return await person(one.base, "ada")


@in_one_loop()
async def laptop(desk: Desk, one: Server, ada: Person) -> Window:
    """Ada's window at one server."""
    return await desk.window(one.base, ada)


@in_one_loop()
async def phone(desk: Desk, other: Server, ada: Person) -> Window:
    """Her window at another."""
    return await desk.window(other.base, ada, viewport={"width": 390, "height": 844})
