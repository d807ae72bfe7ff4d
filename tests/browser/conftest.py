"""Fixtures: one browser for all tests here, and windows for each test."""

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
from tests.browser.windows import PHONE, Windows
from tests.support.devices import Person, person
from tests.support.servers import Server, timekeeper

HERE = Path(__file__).parent
in_one_loop = partial(pytest_asyncio.fixture, loop_scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """The browser, and all that uses it, run in one event loop."""
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
    """Blank windows for the next test: opening one takes longer than most tests."""
    return []


@in_one_loop()
async def windows(
    browser: Browser, shelf: list[Page], transactional_db: None
) -> AsyncIterator[Windows]:
    """The windows of a test. Afterwards none of them may have an error in its console."""
    windows = Windows(browser, shelf)
    yield windows
    await windows.clear()
    complaints = [complaint for window in windows.all for complaint in window.complaints]
    assert not complaints, complaints


@in_one_loop()
async def ada(one: Server) -> Person:
    """A user with an account."""
    return await person(one.base, "ada")


@in_one_loop()
async def laptop(windows: Windows, one: Server, ada: Person) -> Window:
    """Ada's window at one server."""
    return await windows.open(one.base, ada)


@in_one_loop()
async def phone(windows: Windows, other: Server, ada: Person) -> Window:
    """Her window at another."""
    return await windows.open(other.base, ada, size=PHONE)
