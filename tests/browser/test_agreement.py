"""What is painted is the server's second, in every window, also in one that nobody looks at."""

from __future__ import annotations

import asyncio
from datetime import datetime

from playwright.async_api import expect

from realtime.database import in_database
from sessions_app.models import Session
from tests.browser.page import Window
from tests.browser.painted import counts_down, painted
from tests.browser.windows import Desk
from tests.support.devices import Person
from tests.support.servers import Server

A_TENTH_MS = 100
WATCHED_S = 4.5
MOST_LOOKS = 4  # until the machine has had a quiet moment

HIDDEN = """() => {
  Object.defineProperty(document, "hidden", { get: () => true });
  Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  window.requestAnimationFrame = () => 0;  // as a browser does with a hidden page: no frames
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_two_windows_and_the_server_agree_to_a_tenth_of_a_second(
    desk: Desk, one: Server, other: Server, ada: Person
) -> None:
    laptop = await desk.window(one.base, ada, moving=True)
    phone = await desk.window(other.base, ada, moving=True)
    await laptop.new_session("Write", 25, start=True)
    await phone.counts("Write")
    ends_at = (await in_database(Session.objects.get, user=ada.id)).ends_at
    assert ends_at is not None
    for _ in range(MOST_LOOKS):
        seen = await asyncio.gather(painted(laptop, WATCHED_S), painted(phone, WATCHED_S))
        late = [lateness_ms(ends_at, each) for each in seen]
        if all(map(counts_down, seen)) and max(late) < A_TENTH_MS:
            break
    assert all(map(counts_down, seen)), seen
    assert max(map(abs, late)) < A_TENTH_MS, late
    assert abs(late[0] - late[1]) < A_TENTH_MS, late


def lateness_ms(ends_at: datetime, seen: dict[int, float]) -> float:
    """Of the least late second: a busy machine paints late, never early."""
    return min(at - (ends_at.timestamp() - second) * 1000 for second, at in seen.items())


async def test_the_title_of_a_hidden_window_counts_on(laptop: Window) -> None:
    await laptop.new_session("Write", 25, start=True)
    await laptop.counts("Write")
    await laptop.page.evaluate(HIDDEN)
    for _ in range(2):
        await expect(laptop.page).not_to_have_title(await laptop.page.title())
    assert "Write" in await laptop.page.title()


async def test_with_a_wrong_clock_a_window_still_shows_the_second_of_the_server(
    desk: Desk, one: Server, ada: Person, phone: Window
) -> None:
    laptop = await desk.window(one.base, ada)
    ahead = "(ms) => { const now = Date.now; Date.now = () => now() + ms; }"
    await laptop.page.evaluate(ahead, 3_600_000)
    await laptop.new_session("Write", 25, start=True)
    await phone.counts("Write")
    seconds = await asyncio.gather(laptop.seconds(), phone.seconds())
    assert abs(seconds[0] - seconds[1]) <= 1
