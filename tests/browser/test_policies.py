"""The docs and the admin work under their content policies: the browser reports no violation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, expect

from accounts.models import User
from accounts.password_hashing import Argon2
from realtime.database import in_database
from tests.browser.page import Window
from tests.support.devices import PASSWORD, Person
from tests.support.servers import Server


@asynccontextmanager
async def page_without_complaints(browser: Browser) -> AsyncIterator[Page]:
    async with await browser.new_page() as page:
        window = Window(page)
        yield page
        assert window.complaints == []


async def test_the_documents_work(browser: Browser, one: Server) -> None:
    async with page_without_complaints(browser) as page:
        await page.goto(f"{one.base}/docs/rest/")
        await expect(page.get_by_text("Log in", exact=True).first).to_be_visible()
        await page.goto(f"{one.base}/docs/socket/")
        await expect(page.get_by_text("authenticate").first).to_be_visible()
        await page.goto(f"{one.base}/docs/")


async def test_the_admin_works(browser: Browser, one: Server, ada: Person) -> None:
    await in_database(_make_staff)
    session = await ada.has_running("Outline")
    async with page_without_complaints(browser) as page:
        await page.goto(f"{one.base}/admin/")
        await page.get_by_label("Username").fill("sam")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_text("Look up")).to_be_visible()
        await page.goto(f"{one.base}/admin/sessions_app/session/{session.id}/change/")
        await expect(page.get_by_text("started", exact=True)).to_be_visible()
        await page.goto(f"{one.base}/admin/accounts/user/?q=ada")
        await page.locator("input.action-select").check()
        await page.get_by_label("Action:").select_option("deactivate")
        await page.get_by_role("button", name="Go").click()
        await expect(page.get_by_text(f"User {ada.id}: deactivated.")).to_be_visible()
        sheet = await page.locator("#header").evaluate("e => getComputedStyle(e).display")
    assert sheet == "flex", "its style sheet was not taken"
    user = await in_database(User.objects.get, pk=ada.id)
    assert not user.is_active


def _make_staff() -> None:
    user = User(username="sam", email="sam@example.com", is_staff=True)
    user.password = Argon2().encode(PASSWORD, "sixteen letters.")  # tests hash in another way
    user.save()
