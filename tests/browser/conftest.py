"""A browser for all tests here; windows, and somebody who looks at them, for each."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from local.part import Part
from tests.browser import chromium
from tests.browser.page import Window
from tests.browser.windows import PHONE, Desk
from tests.support.devices import Person, person
from tests.support.servers import Server, timekeeper

HERE = Path(__file__).parent
in_one_loop = partial(pytest_asyncio.fixture, loop_scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """The browser lives in one event loop, and so does all that talks to it."""
    mark = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if item.path.is_relative_to(HERE) and pytest_asyncio.is_async_test(item):
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


@in_one_loop(scope="session")
async def shelf(browser: Browser) -> list[Page]:
    """Where windows wait for the next test: to open one takes longer than most of what follows."""
    return []


@in_one_loop()
async def desk(browser: Browser, shelf: list[Page], transactional_db: None) -> AsyncIterator[Desk]:
    """Where windows stand; none of them may have had anything to complain of."""
    desk = Desk(browser, shelf)
    yield desk
    await desk.clear()
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
    return await desk.window(other.base, ada, size=PHONE)
