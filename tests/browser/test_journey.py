"""The journey of a session, in two windows on two server processes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import expect

from local.part import Part
from realtime.database import in_database
from sessions_app import services
from sessions_app.models import Session
from tests.browser.page import Window
from tests.browser.windows import Windows
from tests.support.devices import Person
from tests.support.people import time_passes
from tests.support.servers import Server, servers, stored, timekeeper

MINUTE_S = 60


async def test_a_session_made_in_one_window_is_started_in_another_and_counts_in_both(
    windows: Windows, one: Server, other: Server
) -> None:
    laptop, phone = await windows.open(one.base), await windows.open(other.base)
    await laptop.sign_up("grace")
    await phone.sign_in("grace")
    await laptop.new_session("Write", 25, [("Outline", 10), ("First page", 15)])
    await phone.lists("Write", saying="2 tasks")
    await phone.press_in_row("Start", "Write")
    for window in (laptop, phone):
        await window.counts("Write")
        await expect(window.task("Outline")).to_be_visible()
    seconds = await asyncio.gather(laptop.seconds(), phone.seconds())
    assert seconds[0] in range(25 * MINUTE_S - 10, 25 * MINUTE_S + 1)
    assert abs(seconds[0] - seconds[1]) <= 1  # one of them may have been read a moment later


async def test_a_command_in_one_window_is_seen_in_the_other(laptop: Window, phone: Window) -> None:
    await laptop.new_session("Write", 25, start=True)
    await phone.counts("Write")
    await phone.press("Pause")
    await laptop.stands_still()
    assert await laptop.seconds() == await phone.seconds()
    minutes, seconds = divmod(await laptop.seconds() + 5 * MINUTE_S, MINUTE_S)
    await laptop.press("+5 min")
    for window in (laptop, phone):
        await expect(window.digits).to_have_text(f"{minutes}:{seconds:02}")
    await laptop.press("Resume")
    await phone.counts("Write")
    await phone.press("Finish")
    for window in (laptop, phone):
        await window.counts_nothing()
        await window.lists("Write", saying="finished")
        await expect(window.body("Write").first).to_be_visible()


async def test_a_cancelled_session_leaves_no_star_and_can_be_repeated(
    laptop: Window, phone: Window
) -> None:
    await laptop.new_session("Write", 25, [("Outline", 10)], start=True)
    await phone.counts("Write")
    await phone.press("Cancel")
    await phone.agree()
    for window in (laptop, phone):
        await window.counts_nothing()
        await window.lists("Write", saying="cancelled")
        await expect(window.body("Write")).to_have_count(0)
    await laptop.press_in_row("Repeat", "Write")
    await expect(phone.row("Write")).to_have_count(2)
    await phone.press_in_row("Start", "Write")
    for window in (laptop, phone):
        await window.counts("Write")
        await expect(window.task("Outline")).to_be_visible()


async def test_a_deleted_session_is_gone_from_both_windows(laptop: Window, phone: Window) -> None:
    await laptop.new_session("Write", 25)
    await phone.lists("Write")
    await phone.press_in_row("Delete", "Write")
    await phone.agree()
    for window in (laptop, phone):
        await expect(window.row("Write")).to_have_count(0)


@pytest.mark.parametrize(("minutes", "kind"), [(25, "star"), (90, "planet")])
async def test_a_session_ends_with_no_device_connected_and_its_body_is_in_the_sky(
    minutes: int, kind: str, windows: Windows, one: Server, ada: Person, keeper: Part
) -> None:
    window = await windows.open(one.base, ada)
    await window.new_session("Write", minutes, start=True)
    await window.counts("Write")
    await window.page.goto("about:blank")
    running = await _session_of(ada)
    await in_database(time_passes, minutes * MINUTE_S)
    ended = await stored(running.pk, "completed")
    assert ended.focused_ms == minutes * MINUTE_S * 1000  # at its deadline, not when it was noticed
    await window.open(one.base)
    await window.is_connected()
    await window.lists("Write", saying="completed")
    await expect(window.page.get_by_role("region", name="Last session")).to_contain_text(kind)
    await expect(window.body("Write").first).to_be_visible()


async def _session_of(who: Person) -> Session:
    """The only one, as the database has it."""
    return await in_database(Session.objects.get, user=who.id)


async def test_a_session_ends_in_both_open_windows(
    windows: Windows, one: Server, other: Server, ada: Person, keeper: Part
) -> None:
    session = await ada.has_running("Write")
    pair = await asyncio.gather(windows.open(one.base, ada), windows.open(other.base, ada))
    assert session.timer.ends_at is not None
    left_s = (session.timer.ends_at - datetime.now(UTC)).total_seconds()
    await ada.does(services.extend, session.id, 4 - round(left_s))
    for window in pair:
        await expect(window.page.get_by_role("region", name="Last session")).to_contain_text("star")
        await window.lists("Write", saying="completed")
        await window.counts_nothing()


async def test_after_everything_was_killed_and_started_again_nothing_is_lost(
    windows: Windows, ada: Person, tmp_path: Path
) -> None:
    with servers(tmp_path, "uvicorn", "uvicorn") as both:
        with timekeeper(tmp_path, "killed") as killed:
            pair = [await windows.open(server.base, ada) for server in both]
            await pair[0].new_session("Write", 25, [("Outline", 10)], start=True)
            await pair[1].task("Outline").check()
            for window in pair:
                await expect(window.task("Outline")).to_be_checked()
            assert killed.process is not None
            killed.process.kill()
            for server in both:
                server.kill()
            for window in pair:
                await window.is_coming_back()
                await window.counts("Write")  # the page needs no server for that
        before = await _session_of(ada)
        await asyncio.gather(*(asyncio.to_thread(server.start_again) for server in both))
        with timekeeper(tmp_path, "next"):
            for window in pair:
                await window.is_connected()
                await window.counts("Write")
            after = await _session_of(ada)
            assert (after.ends_at, after.version) == (before.ends_at, before.version)
            await pair[1].press("Finish")
            await pair[0].lists("Write", saying="1 of 1 task")
            await expect(pair[0].body("Write").first).to_be_visible()
