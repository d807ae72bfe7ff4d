"""Every window shows the server's second, a hidden one too."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import pairwise
from typing import Any

from playwright.async_api import expect

from realtime.database import in_database
from sessions_app.models import Session
from tests.browser.page import Window, seconds_of
from tests.browser.windows import Windows
from tests.support.devices import Person
from tests.support.servers import Server

A_TENTH_MS = 100
WATCHED_S = 4.5
MOST_TRIES = 4  # until the machine has had a quiet moment

FEWEST = 3
# Reads each frame; times are milliseconds since 1970, of the one clock of this machine.
WATCH = """(timer, forMs) => new Promise((done) => {
  const seen = [];
  const until = performance.now() + forMs;
  let last = timer.textContent;
  const look = () => {
    if (timer.textContent !== last) seen.push([(last = timer.textContent), Date.now()]);
    performance.now() < until ? requestAnimationFrame(look) : done(seen);
  };
  requestAnimationFrame(look);
})"""
HIDDEN = """() => {
  Object.defineProperty(document, "hidden", { get: () => true });
  Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  window.requestAnimationFrame = () => 0;  // as a browser does with a hidden page: no frames
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def painted(window: Window, seconds: float) -> dict[int, float]:
    """When each number of seconds was first shown, in milliseconds since 1970."""
    seen: list[Any] = await window.digits.evaluate(WATCH, seconds * 1000)
    return {seconds_of(text): at for text, at in seen}


def counts_down(seen: dict[int, float]) -> bool:
    """Each second once, in order, none left out, and enough of them to say so."""
    return len(seen) >= FEWEST and all(later == earlier - 1 for earlier, later in pairwise(seen))


async def test_two_windows_and_the_server_agree_to_a_tenth_of_a_second(
    windows: Windows, one: Server, other: Server, ada: Person
) -> None:
    laptop = await windows.open(one.base, ada, moving=True)
    phone = await windows.open(other.base, ada, moving=True)
    await laptop.new_session("Write", 25, start=True)
    await phone.counts("Write")
    ends_at = (await in_database(Session.objects.get, user=ada.id)).ends_at
    assert ends_at is not None
    for _ in range(MOST_TRIES):
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
    windows: Windows, one: Server, ada: Person, phone: Window
) -> None:
    laptop = await windows.open(one.base, ada)
    ahead = "(ms) => { const now = Date.now; Date.now = () => now() + ms; }"
    await laptop.page.evaluate(ahead, 3_600_000)
    await laptop.new_session("Write", 25, start=True)
    await phone.counts("Write")
    seconds = await asyncio.gather(laptop.seconds(), phone.seconds())
    assert abs(seconds[0] - seconds[1]) <= 1
