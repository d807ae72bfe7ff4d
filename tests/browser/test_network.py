"""The page while the network or a server is lost, and after it is back."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from playwright.async_api import expect

from realtime.database import in_database
from sessions_app.models import SessionEvent
from tests.browser.page import Window
from tests.browser.windows import Windows
from tests.support.devices import Person
from tests.support.proxy import proxy_to, through
from tests.support.servers import Server, servers, stored


async def test_without_network_the_page_counts_on_and_afterwards_shows_the_missed_changes(
    windows: Windows, one: Server, ada: Person, phone: Window
) -> None:
    with proxy_to(one.base) as network:
        laptop = await windows.open(through(network, one.base), ada)
        await laptop.new_session("Write", 25, start=True)
        await phone.counts("Write")
        network.blackhole()
        await laptop.page.context.set_offline(True)
        before = await laptop.seconds()
        await expect(laptop.digits).not_to_have_text(await laptop.digits.inner_text())
        assert await laptop.seconds() < before
        await phone.press("+5 min")
        await phone.press("Pause")
        await phone.stands_still()
        await laptop.page.context.set_offline(False)
        await laptop.is_coming_back()  # its connection looks open, and is dead
        network.heal()
        await laptop.stands_still()
        await laptop.is_connected()
        await expect(laptop.digits).to_have_text(await phone.digits.inner_text())


async def test_a_command_whose_answer_was_lost_is_repeated_and_happens_once(
    windows: Windows, one: Server, ada: Person
) -> None:
    session = await ada.has_running("Write")
    with proxy_to(one.base) as network:
        laptop = await windows.open(through(network, one.base), ada)
        await laptop.counts("Write")
        network.mute()
        await laptop.press("Pause")
        await stored(session.id, "paused")
        network.heal()  # which breaks the connection
        await laptop.stands_still()
        await laptop.is_connected()
    pauses = SessionEvent.objects.filter(session_id=session.id, kind="paused")
    assert await in_database(pauses.count) == 1


async def test_a_command_while_the_server_is_away_is_refused_with_an_alert(
    windows: Windows, one: Server, ada: Person
) -> None:
    await ada.has_running("Write")
    with proxy_to(one.base) as network:
        laptop = await windows.open(through(network, one.base), ada)
        await laptop.counts("Write")
        network.refuse()
        await laptop.is_coming_back()
        await laptop.press("Pause")
        await expect(laptop.page.get_by_role("alert")).to_contain_text("cannot be reached")
        await laptop.counts("Write")
        network.heal()
        await laptop.is_connected()


async def test_a_killed_server_is_waited_for_and_its_window_comes_back_by_itself(
    windows: Windows, ada: Person, phone: Window, tmp_path: Path
) -> None:
    with servers(tmp_path, "uvicorn") as [victim]:
        laptop = await windows.open(victim.base, ada)
        await laptop.new_session("Write", 25, start=True)
        await phone.counts("Write")
        victim.kill()
        await laptop.is_coming_back()
        await phone.press("Pause")
        await phone.stands_still()
        await laptop.counts("Write")  # it cannot know
        await asyncio.to_thread(victim.start_again)
        await laptop.is_connected()
        await laptop.stands_still()
        await expect(laptop.digits).to_have_text(await phone.digits.inner_text())


async def test_a_window_that_is_opened_while_the_network_is_away_says_so_and_fills_later(
    windows: Windows, one: Server, ada: Person
) -> None:
    await ada.has_session("Write")
    with proxy_to(one.base) as network:
        laptop = await windows.open(through(network, one.base), ada)
        await laptop.lists("Write")
        await laptop.page.route(re.compile(r"/sessions/"), lambda route: route.abort())
        await laptop.page.reload()
        await expect(laptop.row("Write")).to_have_count(0)
        await laptop.page.unroute(re.compile(r"/sessions/"))
        await laptop.lists("Write")
