"""A forgotten password: the request for a link, the mail, the new password, the log-in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import Parser
from pathlib import Path

import pytest
from django.contrib.auth.tokens import default_token_generator
from playwright.async_api import expect

from accounts.models import Login, User
from accounts.services import password_reset
from realtime.database import in_database
from tests.browser import axe
from tests.browser.page import PASSWORD, Window
from tests.browser.test_accessibility import is_accessible
from tests.browser.windows import Scheme, Windows
from tests.support.devices import Person
from tests.support.servers import Server, servers

NEW = "a shorter walk at dawn"


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    """The folder that the server of this test writes its mails to."""
    return tmp_path / "mails"


@pytest.fixture
def mail_server(mails: Path, tmp_path: Path, transactional_db: None) -> Iterator[Server]:
    with servers(tmp_path, "uvicorn", EMAIL_URL=f"filemail:///{mails}") as (server,):
        yield server


async def mail_of(folder: Path, subject: str) -> EmailMessage:
    """The mail of this subject, once it has come."""
    async with asyncio.timeout(10):
        while True:
            for found in await asyncio.to_thread(_mails_in, folder):
                if found["Subject"] == subject:
                    return found
            await asyncio.sleep(0.02)


def _mails_in(folder: Path) -> list[EmailMessage]:
    """As Django's file backend writes them: a file for each connection, a line between two."""
    texts = [text for file in folder.glob("*.log") for text in file.read_text().split("-" * 79)]
    parser = Parser(EmailMessage, policy=policy.default)
    return [parser.parsestr(text.lstrip()) for text in texts]


async def ask_for_link(window: Window, address: str) -> None:
    await window.page.get_by_role("button", name="Forgot your password?").click()
    field = window.page.get_by_label("E-mail")
    await expect(field).to_be_focused()
    await field.fill(address)
    await window.page.get_by_role("button", name="Send me a link").click()
    await expect(window.page.get_by_role("status").filter(has_text="on its way")).to_be_visible()


async def to_sign_in(window: Window) -> None:
    await window.page.get_by_role("button", name=re.compile("sign in$", re.I)).click()


async def test_a_forgotten_password_is_replaced_by_the_link_of_a_mail(
    windows: Windows, mail_server: Server, mails: Path
) -> None:
    window = await windows.open(mail_server.base)
    await window.sign_up("grace")
    await window.page.get_by_role("button", name="Sign out").click()
    await ask_for_link(window, "grace@example.org")
    mail = await mail_of(mails, "Your new password for Space")
    assert mail["To"] == "grace@example.org"
    link = re.search(r"http\S+", mail.get_content())
    assert link is not None
    assert link[0].startswith(f"{mail_server.base}/#reset/")

    await window.page.goto(link[0])  # where the page is open already
    dialog = window.page.get_by_role("dialog", name="Choose a new password")
    field = dialog.get_by_label("New password")
    await expect(field).to_be_focused()
    assert "reset" not in window.page.url
    await window.page.keyboard.press("Enter")
    await expect(field).to_have_accessible_description("Please fill this in.")
    await field.fill("short")
    await window.page.keyboard.press("Enter")
    await expect(field).to_have_accessible_description(re.compile("too short"))
    await field.fill(NEW)
    await window.page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await expect(window.page.get_by_text("Your new password is set.")).to_be_visible()
    await expect(window.page.get_by_label("User name")).to_be_focused()
    await window.sign_in("grace", NEW)
    assert (await mail_of(mails, "You have a new password for Space"))["To"] == mail["To"]

    again = await windows.open(mail_server.base)
    await again.page.goto("about:blank")
    await again.page.goto(link[0])  # in a window of its own
    assert "reset" not in again.page.url
    await again.dialog.get_by_label("New password").fill(PASSWORD)
    await again.page.keyboard.press("Enter")
    await expect(again.dialog.get_by_role("alert")).to_contain_text("no longer valid")
    await again.page.get_by_role("button", name="Ask for a new link").click()
    await expect(again.page.get_by_label("E-mail")).to_be_focused()
    assert link[0].rpartition("/")[2] not in mail_server.log


async def test_a_new_password_signs_this_browser_out(laptop: Window, ada: Person) -> None:
    user = await in_database(User.objects.get, pk=ada.id)
    link = await in_database(password_reset.link, user, laptop.page.url.rstrip("/"))
    await laptop.page.goto(link)
    await laptop.dialog.get_by_label("New password").fill(NEW)
    await laptop.page.keyboard.press("Enter")
    await expect(laptop.page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    await expect(laptop.dialog).to_have_count(0)
    assert not await in_database(Login.objects.active().filter(user=ada.id).exists)
    assert not default_token_generator.check_token(
        await in_database(User.objects.get, pk=ada.id), link.rpartition("/")[2]
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_the_reset(
    scheme: Scheme, windows: Windows, one: Server
) -> None:
    axe.script()
    window = await windows.open(one.base, scheme=scheme)
    await to_sign_in(window)
    await ask_for_link(window, "nobody@example.org")
    await is_accessible(window, "asked for a link")
    await window.page.goto(f"{one.base}/#reset/MA/x-y")
    await window.dialog.get_by_label("New password").fill(NEW)
    await window.page.keyboard.press("Enter")
    await expect(window.dialog.get_by_role("alert")).to_contain_text("no longer valid")
    await is_accessible(window, "a link that is good no more")
