"""Tabs of a browser, which report every error of the console."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, TimeoutError, expect
from support.services import PATIENCE, Service, until
from support.users import PASSWORD

# Chromium reports violations of the Content-Security-Policy in its console; the event has more details.
WATCH_POLICY = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));"""
FAILED_LOAD = re.compile(r"Failed to load resource: (?:net::(\w+)|the server responded with a status of (\d+))")

expect.set_options(timeout=PATIENCE * 1000)

LOOKS = {
    "desk-light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "desk-dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone-light": {
        "viewport": {"width": 390, "height": 780},
        "color_scheme": "light",
        "has_touch": True,
        "is_mobile": True,
    },
    "phone-dark": {
        "viewport": {"width": 390, "height": 780},
        "color_scheme": "dark",
        "has_touch": True,
        "is_mobile": True,
    },
}


class Tab:
    """A page in a browser of its own. At its end, each error of its console that was not expected is a failure."""

    def __init__(self, browser: Browser, service: Service, look: str, pictures: Path, **options: Any) -> None:
        self.service, self.look, self.pictures = service, look, pictures
        options = {"locale": "en-GB", "timezone_id": "Europe/London", **LOOKS[look], **options}
        self.context: BrowserContext = browser.new_context(base_url=service.url, **options)
        self.context.set_default_timeout(PATIENCE * 1000)
        self.context.add_init_script(WATCH_POLICY)
        self.complaints: list[str] = []
        # Whenever Docker makes or removes a network on this machine, Chromium gives up what it is loading.
        self.expected = {"ERR_NETWORK_CHANGED"}
        self.page: Page = self.context.new_page()
        self._watch()

    def _watch(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda fault: self.complaints.append(str(fault)))

    def another(self) -> Tab:
        """A further, empty tab of the same browser."""
        other = copy.copy(self)
        other.page = self.context.new_page()
        other._watch()
        return other

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        failed = FAILED_LOAD.match(message.text)
        if failed and (failed[1] or failed[2]) in self.expected:
            return
        self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def expects(self, *failures: str) -> None:
        """Allows requests to fail with these statuses or network errors of Chromium."""
        self.expected.update(failures)

    def check(self) -> None:
        """Fails if the console has reported an error that was not expected."""
        assert not self.complaints, self.complaints

    def close(self) -> None:
        """Closes the tab and its browser."""
        self.context.close()

    def open(self, path: str = "/") -> None:
        """Goes to a page of the service."""
        self._load(lambda: self.page.goto(path))

    def reload(self) -> None:
        """Loads the page again."""
        self._load(self.page.reload)

    def _load(self, load: Callable[[], Any]) -> None:
        for _ in range(5):
            load()
            try:
                self.page.locator("#access:visible, #shell:visible, .opblock").first.wait_for(timeout=5000)
                return
            except TimeoutError:
                pass  # given up by Chromium, see above

    def sign_in(self, name: str) -> None:
        """Signs in by the form."""
        self.open()
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Inbox")).to_be_visible()
        self.is_live()

    def is_live(self) -> None:
        """Waits until the page receives events."""
        expect(self.page.locator("#line-text")).to_have_text("Live")

    def row(self, text: str) -> Any:
        """The row of the list with this text."""
        return self.page.locator("#rows a").filter(has_text=text)

    def sign_out(self, how: str = "Sign out everywhere") -> None:
        """Signs out by the button and the dialog."""
        self.page.get_by_role("button", name="Sign out", exact=True).click()
        self.page.get_by_role("dialog", name="Sign out?").get_by_role("button", name=how).click()
        expect(self.page.get_by_role("button", name="Sign in")).to_be_visible()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until a condition holds that depends on events of the browser."""
        until(lambda: self.page.wait_for_timeout(50) is None and condition(), what)

    def come_back(self) -> None:
        """Reports that the tab is visible again, which a browser without a window never does."""
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    def hide(self, is_hidden: bool = True) -> None:
        """Puts the tab into the background or the foreground."""
        self.page.evaluate(
            """(is) => { Object.defineProperty(document, "hidden", { get: () => is, configurable: true });
            document.dispatchEvent(new Event("visibilitychange")); }""",
            is_hidden,
        )

    def write(self, to: str, subject: str, message: str) -> None:
        """Fills in the form of a new message."""
        self.page.get_by_role("link", name="Write").click()
        self.page.get_by_label("To", exact=True).fill(to)
        self.page.get_by_label("Subject").fill(subject)
        self.page.get_by_label("Message", exact=True).fill(message)

    def send(self) -> None:
        """Sends the message of the form."""
        self.page.get_by_role("button", name="Send").click()

    def examine(self, view: str) -> None:
        """Takes a picture of a view, and fails for violations that axe-core finds and elements wider than the page."""
        self.page.evaluate(
            "Promise.all(document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity)"
            ".map((one) => one.finished.catch(() => {})))"
        )
        self.picture(view)
        results = Axe().run(self.page)
        found = [
            f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']]}"
            for one in results.response["violations"]
        ]
        assert not found, f"{view} ({self.look}): {found}"
        too_wide = self.page.evaluate("""[
            document.documentElement, ...document.querySelectorAll("#list-scroll, #pane, .row-text, dialog")]
            .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.className || one.tagName)""")
        assert not too_wide, f"{view} ({self.look}) is too wide: {too_wide}"

    def picture(self, view: str) -> None:
        """Takes a picture of the tab."""
        self.page.screenshot(path=self.pictures / f"{view}-{self.look}.png")


class Tabs:
    """Opens the tabs of a test."""

    def __init__(self, browser: Browser, service: Service, pictures: Path) -> None:
        self.browser, self.service, self.pictures = browser, service, pictures
        self.opened: list[Tab] = []

    def __call__(self, look: str, **options: Any) -> Tab:
        """A new tab in a browser of its own; `options` are those of Playwright's context."""
        self.opened.append(Tab(self.browser, self.service, look, self.pictures, **options))
        return self.opened[-1]

    def check(self) -> None:
        """Closes the tabs, and fails if one has reported an error."""
        self.close()
        for one in self.opened:
            one.check()

    def picture_failure(self, name: str) -> list[str]:
        """Takes a picture of each open tab of a failed test, and returns the errors of their consoles."""
        for number, one in enumerate(self.opened):
            if not one.page.is_closed():
                one.picture(f"failed-{name}-{number}")
        return [complaint for one in self.opened for complaint in one.complaints]

    def close(self) -> None:
        """Closes the tabs."""
        for one in self.opened:
            one.close()
