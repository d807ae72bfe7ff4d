"""The dialog of the account: profile, password, devices, export and deletion."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from accounts.models import Login, User
from realtime.database import in_database
from tests.browser import axe
from tests.browser.page import PASSWORD, SIGN_IN, Window
from tests.browser.test_accessibility import is_accessible
from tests.browser.test_appearance import is_usable_at_every_width
from tests.browser.windows import Scheme, Windows
from tests.support.devices import Person
from tests.support.servers import Server


def opener(window: Window, name: str = "ada") -> Locator:
    return window.page.get_by_role("button", name=f"Account of {name}")


async def opened(window: Window, name: str = "ada") -> Locator:
    """The dialog, with everything in it."""
    await opener(window, name).click()
    dialog = window.page.get_by_role("dialog", name="Account")
    await expect(dialog.get_by_role("listitem").first).to_be_visible()
    return dialog


def part(dialog: Locator, name: str) -> Locator:
    return dialog.get_by_role("region", name=name)


async def stored(who: Person) -> User:
    return await in_database(User.objects.get, pk=who.id)


async def another_login(user_id: int, device: str) -> Login:
    return await in_database(Login.objects.create, user_id=user_id, device=device, refresh_jti="x")


async def refuses_another_password(window: Window, password: Locator) -> None:
    """The form was sent without a password, and is sent again with a wrong one."""
    await expect(password).to_have_accessible_description("Please fill this in.")
    await password.fill("not this one")
    await window.page.keyboard.press("Enter")
    await expect(password).to_have_accessible_description("This is not your password.")
    await expect(password).to_be_focused()


async def test_the_profile_is_shown_changed_and_kept(laptop: Window, ada: Person) -> None:
    dialog = await opened(laptop)
    profile = part(dialog, "Profile")
    await expect(profile.get_by_label("User name")).to_have_value("ada")
    await expect(profile.get_by_label("Reminders")).to_have_value("5 min, 1 min")
    await profile.get_by_label("User name").fill("countess")
    await profile.get_by_label("Time zone").fill("Europe/Berlin")
    await profile.get_by_label("Start of the day").fill("04:30")
    await profile.get_by_label("Reminders").fill("30 s, 10")
    await laptop.page.keyboard.press("Enter")
    await expect(profile.get_by_text("Saved.")).to_be_visible()
    await expect(profile.get_by_label("Reminders")).to_have_value("10 min, 30 s")
    now = await stored(ada)
    assert (now.username, now.time_zone, now.day_start) == ("countess", "Europe/Berlin", 270)
    assert now.reminders == [600, 30]
    await laptop.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(opener(laptop, "countess")).to_be_focused()
    await laptop.page.reload()
    await expect(opener(laptop, "countess")).to_be_visible()


async def test_a_refused_value_has_its_reason_beside_its_field(laptop: Window, ada: Person) -> None:
    profile = part(await opened(laptop), "Profile")
    for label, wrong, sentence in (
        ("E-mail", "nowhere", "valid email address"),
        ("Time zone", "Europe/Atlantis", "no such time zone"),
        ("Reminders", "soon", "write times such as"),
        ("Reminders", "48 h", "less than or equal to"),
    ):
        input_ = profile.get_by_label(label)
        before = await input_.input_value()
        await input_.fill(wrong)
        if label == "E-mail":
            await profile.get_by_label("Your password").fill(PASSWORD)
        await profile.get_by_role("button", name="Save").click()
        await expect(input_).to_have_accessible_description(re.compile(sentence))
        await expect(input_).to_be_focused()
        await expect(input_).to_have_attribute("aria-invalid", "true")
        await input_.fill(before)
        await expect(input_).to_have_attribute("aria-invalid", "false")
    assert (await stored(ada)).time_zone == "UTC"


async def test_a_new_password_asks_for_the_old_one_and_signs_other_devices_out(
    windows: Windows, one: Server
) -> None:
    window = await windows.open(one.base)
    await window.sign_up("grace")  # at the server, so that it can check the password
    grace = await in_database(User.objects.get, username="grace")
    await another_login(grace.pk, "Old phone")
    await opener(window, "grace").click()
    dialog = window.page.get_by_role("dialog", name="Account")
    devices = part(dialog, "Devices signed in").get_by_role("listitem")
    await expect(devices).to_have_count(2)
    form = part(dialog, "Password")
    old, new = form.get_by_label("Old password"), form.get_by_label("New password")
    button = form.get_by_role("button", name="Change password")
    await button.click()
    await expect(old).to_have_accessible_description("Please fill this in.")
    await old.fill("not this one")
    await new.fill("a shorter walk at dawn")
    await button.click()
    await expect(old).to_have_attribute("aria-invalid", "true")
    await old.fill(PASSWORD)
    await button.click()
    await expect(form).to_contain_text("The password has been changed. 1 other device")
    await expect(devices).to_have_count(1)
    await expect(old).to_have_value("")
    await part(dialog, "Your data").get_by_role("button", name="Sign out").click()
    await window.sign_in("grace", "a shorter walk at dawn")


async def test_devices_are_signed_out_one_by_one_or_all_but_this(
    laptop: Window, ada: Person
) -> None:
    for device in ("Old phone", "Old tablet", "Old laptop"):
        await another_login(ada.id, device)
    devices = part(await opened(laptop), "Devices signed in")
    await expect(devices.get_by_role("listitem").first).to_contain_text("this one")
    await devices.get_by_role("button", name="Sign out Old phone").click()
    await expect(devices).to_contain_text("Old phone was signed out.")
    await expect(devices.get_by_role("listitem")).to_have_count(3)
    everywhere = devices.get_by_role("button", name="Sign out everywhere else")
    await everywhere.click()
    await expect(devices).to_contain_text("2 other devices were signed out.")
    await expect(devices.get_by_role("listitem")).to_have_count(1)
    await expect(everywhere).to_be_hidden()
    standing = Login.objects.active().filter(user=ada.id)
    assert await in_database(standing.count) == 1
    await laptop.is_connected()


async def test_the_export_is_downloaded_as_a_file(
    laptop: Window, ada: Person, tmp_path: Path
) -> None:
    await ada.has_session("Write")
    yours = part(await opened(laptop), "Your data")
    async with laptop.page.expect_download() as downloading:
        await yours.get_by_role("button", name="Download my data").click()
    download = await downloading.value
    assert download.suggested_filename == "space-ada.json"
    await download.save_as(tmp_path / "mine.json")
    assert json.loads((tmp_path / "mine.json").read_text())["sessions"][0]["title"] == "Write"
    await expect(yours).to_contain_text("has been downloaded")


async def test_a_phone_can_sign_out_in_the_dialog(phone: Window) -> None:
    dialog = await opened(phone)
    await part(dialog, "Your data").get_by_role("button", name="Sign out").click()
    await expect(phone.page.get_by_role("button", name=SIGN_IN)).to_be_visible()
    await expect(phone.dialog).to_have_count(0)


async def test_an_account_is_deleted_only_by_its_password(windows: Windows, one: Server) -> None:
    window = await windows.open(one.base)
    await window.sign_up("grace")  # at the server, so that it can check the password
    dialog = await opened(window, "grace")
    ask = dialog.get_by_role("button", name="Delete my account")
    await ask.click()
    question = window.page.get_by_role("dialog", name="Delete your account?")
    password = question.get_by_label("Your password")
    await expect(password).to_be_focused()
    await window.page.keyboard.press("Enter")
    await refuses_another_password(window, password)
    await window.page.keyboard.press("Escape")
    await expect(question).to_have_count(0)
    await expect(ask).to_be_focused()
    await ask.click()
    await password.fill(PASSWORD)
    await window.page.keyboard.press("Enter")
    await expect(window.page.get_by_text("The account of grace has been deleted.")).to_be_visible()
    await expect(window.dialog).to_have_count(0)
    await expect(window.page.get_by_text("You have been signed out")).to_have_count(0)
    assert not await in_database(User.objects.filter(username="grace").exists)


async def test_another_address_asks_for_the_password(windows: Windows, one: Server) -> None:
    window = await windows.open(one.base)
    await window.sign_up("grace")
    profile = part(await opened(window, "grace"), "Profile")
    email, password = profile.get_by_label("E-mail"), profile.get_by_label("Your password")
    await expect(password).to_be_hidden()
    await email.fill("hopper@example.org")
    await profile.get_by_role("button", name="Save").click()
    await refuses_another_password(window, password)
    await password.fill(PASSWORD)
    await window.page.keyboard.press("Enter")
    await expect(profile.get_by_text("Saved.")).to_be_visible()
    await expect(password).to_be_hidden()
    grace = await in_database(User.objects.get, username="grace")
    assert grace.email == "hopper@example.org"


async def test_a_dialog_that_cannot_load_says_so_and_can_be_tried_again(laptop: Window) -> None:
    await laptop.page.route("**/users/me/", lambda route: route.abort())
    await opener(laptop).click()
    dialog = laptop.page.get_by_role("dialog", name="Account")
    await expect(dialog.get_by_role("alert")).to_contain_text("cannot be reached")
    await laptop.page.unroute("**/users/me/")
    await dialog.get_by_role("button", name="Try again").click()
    await expect(dialog.get_by_label("User name")).to_have_value("ada")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_the_dialog(
    scheme: Scheme, windows: Windows, one: Server, ada: Person
) -> None:
    axe.script()
    await another_login(ada.id, "Old phone")
    window = await windows.open(one.base, ada, scheme=scheme)
    dialog = await opened(window)
    await part(dialog, "Password").get_by_role("button", name="Change password").click()
    await is_accessible(window, "account")
    await dialog.get_by_role("button", name="Delete my account").click()
    await window.page.keyboard.press("Enter")
    await is_accessible(window, "the last question")


async def test_the_dialog_fits_every_width(laptop: Window, ada: Person) -> None:
    await another_login(ada.id, "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen")
    await opened(laptop)
    await is_usable_at_every_width(laptop, "account")
    await laptop.dialog.get_by_role("button", name="Delete my account").click()
    await is_usable_at_every_width(laptop, "the last question")
