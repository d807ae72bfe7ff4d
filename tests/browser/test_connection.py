"""The badge of the connection, and its dialog: the facts, and the trace of frames."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Locator, expect

from sessions_app import services
from tests.browser import axe
from tests.browser.page import Window
from tests.browser.test_accessibility import is_accessible
from tests.browser.test_appearance import is_usable_at_every_width
from tests.browser.windows import Scheme, Windows
from tests.support.devices import Person
from tests.support.proxy import proxy_to, through
from tests.support.servers import Server

BADGE = re.compile(r"^(Connected|Coming back|Connecting)")
A_LONG_WAIT = "Math.random = () => 40"  # times half a second: longer than a test waits
KEEP_COPIED = "navigator.clipboard.writeText = async (text) => { window.copied = text; }"


def badge(window: Window) -> Locator:
    return window.page.get_by_role("banner").get_by_role("button", name=BADGE)


async def opened(window: Window) -> Locator:
    """The dialog."""
    await badge(window).click()
    dialog = window.page.get_by_role("dialog", name="Connection")
    await expect(dialog).to_be_visible()
    return dialog


def frames(dialog: Locator, about: str | re.Pattern[str] = "") -> Locator:
    return dialog.get_by_role("list").get_by_role("button").filter(has_text=about)


async def test_the_badge_gives_the_round_trip_and_opens_the_facts(laptop: Window) -> None:
    await expect(badge(laptop)).to_have_text(re.compile(r"Connected · \d+ ms"))
    dialog = await opened(laptop)
    await expect(dialog).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d"))
    await expect(dialog).to_contain_text(re.compile(r"Server clock[+\u2212]\d+\.\d ms"))
    await expect(dialog).to_contain_text(re.compile(r"Round trip\d+\.\d ms"))
    await expect(dialog).to_contain_text(re.compile("the server.s clock"))
    await expect(dialog.get_by_role("button", name="Try now")).to_be_hidden()
    await laptop.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(badge(laptop)).to_be_focused()


async def test_the_trace_is_live_until_it_is_held(laptop: Window, ada: Person) -> None:
    dialog = await opened(laptop)
    first = await ada.has_running("Write")
    started = re.compile(f"session.state.*session {first.id} .*started")
    await expect(frames(dialog, started)).to_be_visible()
    await expect(frames(dialog, "session.tick").first).to_be_visible()
    await dialog.get_by_label("Hide ticks and pings").check()
    await expect(frames(dialog, re.compile(r"session\.tick|ping|pong"))).to_have_count(0)
    await expect(frames(dialog, started)).to_be_visible()
    hold = dialog.get_by_role("button", name="Hold")
    await hold.click()
    await expect(hold).to_have_attribute("aria-pressed", "true")
    paused = frames(dialog, re.compile("session.state.*paused"))
    await ada.does(services.pause, first.id)
    await laptop.stands_still()  # the page itself is not held
    await expect(paused).to_have_count(0)
    await hold.click()
    await expect(paused).to_be_visible()


async def test_a_frame_opens_to_all_of_it_and_no_token_is_in_the_trace(
    laptop: Window, ada: Person
) -> None:
    dialog = await opened(laptop)
    row = frames(dialog, "authenticate")
    await row.click()
    await expect(row).to_have_attribute("aria-expanded", "true")
    await expect(dialog).to_contain_text('"token": "(not kept)"')
    await laptop.page.evaluate(KEEP_COPIED)
    await dialog.get_by_role("button", name="Copy").click()
    await expect(dialog).to_contain_text("Copied")
    copied: str = await laptop.page.evaluate("window.copied")
    assert ada.account.access not in copied
    lines = [json.loads(line) for line in copied.splitlines()]
    assert [line["frame"]["type"] for line in lines[:3]] == ["opened", "authenticate", "ready"]
    assert [line["direction"] for line in lines[:3]] == ["connection", "sent", "received"]
    await row.click()
    await expect(row).to_have_attribute("aria-expanded", "false")


async def test_the_trace_is_one_tab_stop_and_the_arrow_keys_move_between_frames(
    laptop: Window,
) -> None:
    dialog = await opened(laptop)
    await dialog.get_by_role("button", name="Hold").click()
    rows = frames(dialog)
    await dialog.get_by_label("Hide ticks and pings").focus()
    await laptop.page.keyboard.press("Tab")
    await expect(rows.first).to_be_focused()
    await laptop.page.keyboard.press("ArrowDown")
    await expect(rows.nth(1)).to_be_focused()
    await laptop.page.keyboard.press("Enter")
    await expect(rows.nth(1)).to_have_attribute("aria-expanded", "true")
    await laptop.page.keyboard.press("End")
    await expect(rows.last).to_be_focused()
    await laptop.page.keyboard.press("Home")
    await expect(rows.first).to_be_focused()


async def test_the_dialog_says_when_the_page_reconnects_and_does_so_when_asked(
    windows: Windows, one: Server, ada: Person
) -> None:
    with proxy_to(one.base) as network:
        window = await windows.open(through(network, one.base), ada)
        dialog = await opened(window)
        await window.page.evaluate(A_LONG_WAIT)
        network.refuse()
        await expect(dialog).to_contain_text("Coming back")
        await expect(dialog).to_contain_text("The countdown goes on")
        await expect(frames(dialog, "closed").first).to_be_visible()
        await expect(frames(dialog, "coming back").first).to_be_visible()
        await expect(dialog).to_contain_text(re.compile(r"Next attempt in (20|1\d) s"))
        network.heal()
        await dialog.get_by_role("button", name="Try now").click()
        await expect(dialog).not_to_contain_text("Coming back")
        await expect(badge(window)).to_contain_text("Connected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_the_dialog_connected_or_away(
    scheme: Scheme, windows: Windows, one: Server, ada: Person
) -> None:
    axe.script()
    with proxy_to(one.base) as network:
        window = await windows.open(through(network, one.base), ada, scheme=scheme)
        dialog = await opened(window)
        await frames(dialog, "authenticate").click()
        await is_accessible(window, "connected")
        network.refuse()
        await expect(dialog).to_contain_text("Coming back")
        await is_accessible(window, "away")
        network.heal()
        await expect(badge(window)).to_contain_text("Connected")


async def test_the_dialog_fits_every_width(laptop: Window, ada: Person) -> None:
    await ada.has_running("Write")
    dialog = await opened(laptop)
    await expect(frames(dialog, "session.tick").first).to_be_visible()
    await is_usable_at_every_width(laptop, "connection")


async def test_on_a_phone_the_badge_has_words_only_for_a_lost_connection(
    windows: Windows, one: Server, ada: Person
) -> None:
    with proxy_to(one.base) as network:
        window = await windows.open(through(network, one.base), ada, size=(320, 640))
        dot_alone = await badge(window).bounding_box()
        assert dot_alone is not None
        assert dot_alone["width"] < 48
        await window.page.evaluate(A_LONG_WAIT)
        network.refuse()
        await expect(badge(window)).to_have_text("Coming back…")
        in_words = await badge(window).bounding_box()
        assert in_words is not None
        assert in_words["width"] > 96
        assert not await window.scrolls_sideways()
        network.heal()
