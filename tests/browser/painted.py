"""What a window shows, and when."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.browser.page import Window, seconds_of

FEWEST = 3
# Looks at each frame; times are milliseconds since 1970, of the one clock of this machine.
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


async def painted(window: Window, seconds: float) -> dict[int, float]:
    """When each number of seconds was first shown, in milliseconds since 1970."""
    seen: list[Any] = await window.digits.evaluate(WATCH, seconds * 1000)
    return {seconds_of(text): at for text, at in seen}


def counts_down(seen: dict[int, float]) -> bool:
    """Each second once, in order, none left out, and enough of them to say so."""
    return len(seen) >= FEWEST and all(later == earlier - 1 for earlier, later in pairwise(seen))
