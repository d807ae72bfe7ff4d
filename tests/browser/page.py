"""The page as a user meets it: by roles and names, never by how it is built.

The names of things on the page stand here and nowhere else in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from playwright.async_api import ConsoleMessage, Error, Locator, Page, expect

PASSWORD = "a long walk at dusk"
LOGIN_KEY = "space.login"  # in localStorage: client/js/tokens.js
TIMEOUT_MS = 10_000
# Lines that the browser itself writes to the console when a server is away.
OF_THE_NETWORK = re.compile(r"^(Failed to load resource|WebSocket connection to)")

NAME = re.compile(r"^(user )?name", re.I)
EMAIL = re.compile(r"^e-?mail", re.I)
PASSWORD_LABEL = re.compile(r"^password", re.I)
SIGN_UP = re.compile(r"^sign up$", re.I)
SIGN_IN = re.compile(r"^(sign|log) in$", re.I)
TO_SIGN_UP = re.compile(r"create an account", re.I)
TO_SIGN_IN = re.compile(r"(sign|log) in$", re.I)
SESSION_TITLE = re.compile(r"focus on", re.I)
CONNECTED = re.compile(r"^Connected")
COMING_BACK = re.compile(r"^(Coming back|Connecting)")

expect.set_options(timeout=TIMEOUT_MS)


@dataclass
class Window:
    """One window of a browser. `complaints`: errors and warnings in its console."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(TIMEOUT_MS)
        self.page.on("console", self._take_message)
        self.page.on("pageerror", self._take_error)

    def stop_listening(self) -> None:
        self.page.remove_listener("console", self._take_message)
        self.page.remove_listener("pageerror", self._take_error)

    def _take_error(self, error: Error) -> None:
        self.complaints.append(f"{error}")

    def _take_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not OF_THE_NETWORK.match(message.text):
            self.complaints.append(message.text)

    async def open(self, base: str) -> None:
        await self.page.goto(f"{base}/")

    # -- in and out --------------------------------------------------------------------------------

    async def sign_up(self, name: str) -> None:
        heading = self.page.get_by_role("button", name=SIGN_UP)
        if not await heading.is_visible():
            await self.page.get_by_role("button", name=TO_SIGN_UP).click()
        await self.page.get_by_label(NAME).fill(name)
        await self.page.get_by_label(EMAIL).fill(f"{name}@example.org")
        await self.page.get_by_label(PASSWORD_LABEL).fill(PASSWORD)
        await heading.click()
        await self.is_connected()

    async def sign_in(self, name: str, password: str = PASSWORD) -> None:
        button = self.page.get_by_role("button", name=SIGN_IN)
        if not await button.is_visible():
            await self.page.get_by_role("button", name=TO_SIGN_IN).click()
        await self.page.get_by_label(NAME).fill(name)
        await self.page.get_by_label(PASSWORD_LABEL).fill(password)
        await button.click()
        await self.is_connected()

    # -- the badge ---------------------------------------------------------------------------------

    def _says(self, text: re.Pattern[str]) -> Locator:
        return self.page.get_by_text(text).first

    async def is_connected(self) -> None:
        await expect(self._says(CONNECTED)).to_be_visible()

    async def is_coming_back(self) -> None:
        await expect(self._says(COMING_BACK)).to_be_visible()

    async def has_loaded(self) -> None:
        """The lists are loaded: from here on a missing row is a fault."""
        await expect(self.page.get_by_role("heading", name=re.compile("^Sky"))).to_be_visible()

    # -- a new session -----------------------------------------------------------------------------

    @property
    def compose(self) -> Locator:
        return self.page.get_by_role("region", name="New session")

    async def new_session(
        self,
        title: str,
        minutes: int,
        tasks: Sequence[tuple[str, int]] = (),
        *,
        start: bool = False,
    ) -> None:
        """Write down a session with its tasks; start it, or keep it for later."""
        form = self.compose
        if not await form.get_by_label(SESSION_TITLE).is_visible():
            await form.get_by_text("New session").click()  # it is folded
        await form.get_by_label(SESSION_TITLE).fill(title)
        await form.get_by_label("Minutes").first.fill(str(minutes))
        for task, length in tasks:
            await form.get_by_label(re.compile("^Task")).fill(task)
            await form.get_by_label("Minutes").last.fill(str(length))
            await form.get_by_role("button", name="Add").click()
        name = "Start" if start else re.compile("later", re.I)
        await form.get_by_role("button", name=name, exact=True).click()

    # -- the countdown -----------------------------------------------------------------------------

    @property
    def countdown(self) -> Locator:
        return self.page.get_by_role("region", name="Countdown")

    @property
    def digits(self) -> Locator:
        return self.page.get_by_role("timer")

    async def seconds(self) -> int:
        return seconds_of(await self.digits.inner_text())

    async def press(self, name: str) -> None:
        """A button of the countdown: Pause, Resume, +5 min, Finish, Cancel."""
        await self.countdown.get_by_role("button", name=name).click()

    def task(self, title: str) -> Locator:
        """The box of a task of the session that counts."""
        return self.page.get_by_role("checkbox", name=title)

    async def counts(self, title: str) -> None:
        await expect(self.countdown.get_by_role("heading", name=title)).to_be_visible()
        await expect(self.countdown.get_by_role("button", name="Pause")).to_be_visible()

    async def stands_still(self) -> None:
        await expect(self.countdown.get_by_role("button", name="Resume")).to_be_visible()

    async def counts_nothing(self) -> None:
        await expect(self.digits).to_be_hidden()

    # -- the list ----------------------------------------------------------------------------------

    @property
    def sessions(self) -> Locator:
        return self.page.get_by_role("region", name="Sessions")

    def row(self, title: str) -> Locator:
        heading = self.page.get_by_role("heading", name=title)
        return self.sessions.get_by_role("listitem").filter(has=heading)

    async def press_in_row(self, name: str, title: str) -> None:
        """A button of a session in the list: Start, Repeat, Delete."""
        await self.sessions.get_by_role("button", name=f"{name} {title}").first.click()

    async def lists(self, title: str, *, saying: str = "") -> None:
        await expect(self.row(title).first).to_be_visible()
        if saying:
            await expect(self.row(title).first).to_contain_text(saying)

    # -- the sky -----------------------------------------------------------------------------------

    @property
    def sky(self) -> Locator:
        return self.page.get_by_role("region", name=re.compile("^Sky"))

    def body(self, title: str) -> Locator:
        """The star or planet of a session: an image, or a link that leads to it."""
        return self.sky.get_by_label(re.compile(re.escape(title)))

    # -- light and dark ----------------------------------------------------------------------------

    @property
    def theme(self) -> Locator:
        """The button that changes it; its name begins with the choice: "Theme: dark"."""
        return self.page.get_by_role("button", name=re.compile("^Theme"))

    async def choose_theme(self, choice: str) -> None:
        for _ in range(3):
            if f"Theme: {choice}" in (await self.theme.get_attribute("aria-label") or ""):
                return
            await self.theme.click()
        raise AssertionError(f"there is no theme {choice}")

    # -- over the page -----------------------------------------------------------------------------

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    async def agree(self) -> None:
        """Yes to a question whose other answer is to keep things as they are."""
        name = re.compile("^(Cancel the session|Delete|Finish it)")
        await self.dialog.get_by_role("button", name=name).click()

    # -- how it looks ------------------------------------------------------------------------------

    async def scrolls_sideways(self) -> bool:
        script = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        return bool(await self.page.evaluate(script))


def seconds_of(text: str) -> int:
    """'1:02:05' -> 3725."""
    total = 0
    for part in text.strip().split(":"):
        total = total * 60 + int(part)
    return total
