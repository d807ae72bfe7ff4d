"""Unfinished input stays with its user and its session, whatever happens in between."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from realtime.database import in_database
from sessions_app.models import Session
from tests.browser.page import Window
from tests.support.devices import Person

OPEN_DETAIL = "id => { location.hash = `#session-${id}` }"


async def titles(who: Person) -> set[str]:
    return set(
        await in_database(list, Session.objects.owned_by(who.id).values_list("title", flat=True))
    )


async def id_of(who: Person, title: str) -> int:
    return (await in_database(Session.objects.owned_by(who.id).get, title=title)).pk


async def test_the_next_user_finds_nothing_of_the_user_before(laptop: Window) -> None:
    await laptop.new_session("Secret plan", 25, start=True)
    await laptop.counts("Secret plan")
    await laptop.page.locator("#tasks").get_by_label("Task").fill("Secret task")
    form = laptop.compose
    await form.get_by_text("New session").click()
    await form.get_by_label(re.compile("focus on")).fill("Secret draft")
    await form.get_by_label(re.compile("^Task")).fill("Secret step")
    await form.get_by_role("button", name="Add").click()
    await form.get_by_label(re.compile("^Task")).fill("Secret half")
    await form.get_by_label("Minutes").first.fill("77")
    await laptop.countdown.get_by_role("button", name="Edit the title of Secret plan").press(
        "Enter"
    )
    await laptop.page.keyboard.type("Secret title")
    # Another window signs this one out: no blur, no question.
    await laptop.page.evaluate(
        "() => { localStorage.removeItem('space.login');"
        " dispatchEvent(new StorageEvent('storage', {key: 'space.login'})) }"
    )
    await laptop.sign_up("eve")
    await laptop.has_loaded()
    everything = """() => document.body.innerText + [...document.querySelectorAll("input")]
        .map((input) => `|${input.value}`).join("") + document.querySelector("#app").textContent
        + document.querySelector("#announcer").textContent"""
    seen = await laptop.page.evaluate(everything)
    assert "Secret" not in seen
    assert "|77" not in seen
    await laptop.new_session("Eve's own", 25, start=True)
    await laptop.counts("Eve's own")
    assert "Secret" not in await laptop.page.evaluate(everything)


async def test_a_title_that_is_being_written_never_goes_to_another_session(
    laptop: Window, phone: Window, ada: Person
) -> None:
    await laptop.new_session("First", 25, start=True)
    await laptop.counts("First")
    await laptop.new_session("Second", 25)
    await laptop.countdown.get_by_role("button", name="Edit the title of First").press("Enter")
    await laptop.page.keyboard.type("Renamed")
    await phone.press_in_row("Start", "Second")
    await phone.agree()
    await laptop.counts("Second")
    await laptop.page.keyboard.press("Enter")
    await laptop.lists("First", saying="finished")
    await laptop.counts("Second")
    assert await titles(ada) == {"First", "Second"}


async def test_the_address_leads_from_one_session_to_the_next(laptop: Window, ada: Person) -> None:
    for title in ("First", "Second"):
        await laptop.new_session(title, 25)
        await laptop.lists(title)
    for title in ("First", "Second", "First"):
        await laptop.page.evaluate(OPEN_DETAIL, await id_of(ada, title))
        await expect(laptop.dialog.get_by_role("heading", name=title)).to_be_visible()
        await expect(laptop.dialog).to_have_count(1)


@pytest.mark.parametrize("usual", ["30 s", "90 s, 20 s", "5 min, 1 min"])
async def test_a_new_session_has_the_usual_reminders_also_where_they_have_just_changed(
    laptop: Window, ada: Person, usual: str
) -> None:
    await laptop.page.get_by_role("button", name="Account of ada").click()
    dialog = laptop.page.get_by_role("dialog", name="Account")
    await dialog.get_by_label("Reminders").fill(usual)
    await laptop.page.keyboard.press("Enter")
    await expect(dialog.get_by_text(re.compile("Saved.|Nothing has changed."))).to_be_visible()
    await dialog.get_by_role("button", name="Close").click()
    chips = laptop.compose.get_by_role("group", name="Remind me").get_by_role(
        "button", pressed=True
    )
    assert {await chip.inner_text() for chip in await chips.all()} == set(usual.split(", "))
    await laptop.new_session("Write", 25, start=True)
    await laptop.counts("Write")
    await expect(laptop.countdown).to_contain_text(
        re.compile(f"Reminders? .*{usual.split(', ')[-1]}")
    )
    session = await in_database(Session.objects.owned_by(ada.id).get, title="Write")
    assert session.reminders is None, "the profile's"
