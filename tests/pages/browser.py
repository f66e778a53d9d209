"""Shared by the tests of the pages: the service as a process, its API, and a browser that reports every complaint."""

from __future__ import annotations

import copy
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, TimeoutError, expect

PASSWORD = "a long pass phrase"
# The settings that the service has from whoever starts the tests.
SECRETS = ("HEROLO_DATABASE_URL_FILE", "HEROLO_TOKEN_KEYS_FILE")
# Seconds in which what is waited for must come; the machine may be busy.
PATIENCE = 30
# Chromium reports refusals of the policy in its console; the event has the same with more of it.
WATCH_POLICY = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));"""
FAILED_LOAD = re.compile(r"Failed to load resource: (?:net::(\w+)|the server responded with a status of (\d+))")

Test = Callable[..., None]
TESTS: list[Test] = []


def test(function: Test) -> Test:
    """Makes it one of the tests; its name says what holds."""
    TESTS.append(function)
    return function


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


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} does not come about"
        time.sleep(0.05)


class Service:
    """The service as a process, always on the same port."""

    def __init__(self, herolo: str) -> None:
        self.herolo = herolo
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        # All tests are one client.
        unlimited = {f"HEROLO_LIMIT_{what}": "0" for what in ("LOGINS", "SIGN_UPS", "SENDS")}
        # The service refuses what it does not know, such as settings of other tests.
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("HEROLO_") or name in SECRETS
        }
        self.environment = {**inherited, **unlimited, "HEROLO_PORT": str(self.port), "HEROLO_DRAIN_SECONDS": "0"}
        self.process: subprocess.Popen[bytes] | None = None
        subprocess.run([herolo, "migrate"], env=self.environment, check=True, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        """Starts it, and waits until it is ready."""
        self.process = subprocess.Popen([self.herolo, "serve"], env=self.environment, stderr=subprocess.DEVNULL)
        until(lambda: self.request("GET", "/readyz")[0] == 200, "the service")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(PATIENCE)
            self.process = None

    def request(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """The status and the JSON of an answer; 0 where there is none."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=PATIENCE) as answer:
                text = answer.read()
                is_json = answer.headers.get_content_type() == "application/json"
                return answer.status, json.loads(text) if text and is_json else None
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read() or b"null")
        except OSError:
            return 0, None

    def user(self, name: str) -> User:
        """A new user of this name, with a token."""
        status, answer = self.request(
            "POST", "/users", {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        )
        assert status == 201, answer
        return User(self, name)


class User:
    """Somebody who uses the API."""

    def __init__(self, service: Service, name: str) -> None:
        self.service, self.name = service, name
        _, answer = service.request("POST", f"/users/{name}/token", {"password": PASSWORD})
        self.token = answer["access_token"]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, which must be none of an error."""
        status, answer = self.service.request(method, f"/users/{self.name}{path}", body, self.token)
        assert 200 <= status < 300, (status, answer)
        return answer

    def send(self, receiver: str, subject: str = "Hello", message: str = "How are you?") -> int:
        """Sends a message and returns its id."""
        return self.ask("POST", "/messages", {"receiver": receiver, "subject": subject, "message": message})["id"]

    def received(self) -> list[Any]:
        """The newest page of what was received."""
        return self.ask("GET", "/messages?per_page=100")["messages"]

    def revoke_tokens(self) -> None:
        """Ends all sessions of this user; this object gets a token anew."""
        self.ask("DELETE", "/tokens")
        self.token = User(self.service, self.name).token


class Tab:
    """A page in a browser of its own. Whatever its console says and was not announced is an error at its end."""

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
        """A further tab of the same browser, in which nothing is open."""
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
        """Requests may fail with these: statuses, or Chromium's names of what befalls connections."""
        self.expected.update(failures)

    def close(self) -> None:
        """Fails if anything was complained about."""
        self.context.close()
        assert not self.complaints, self.complaints

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
        """Waits until the page listens."""
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
        """Waits until a condition holds that depends on what the browser reports meanwhile."""
        until(lambda: self.page.wait_for_timeout(50) is None and condition(), what)

    def come_back(self) -> None:
        """The browser says that the tab is looked at again; without a window it never says so itself."""
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    def hide(self, is_hidden: bool = True) -> None:
        """The tab is in the background, or not any more."""
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
        """Sends what was written."""
        self.page.get_by_role("button", name="Send").click()

    def examine(self, view: str) -> None:
        """Takes a picture of a view; axe-core looks for barriers, and this for what is wider than the page."""
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
        """Keeps a picture of what is seen."""
        self.page.screenshot(path=self.pictures / f"{view}-{self.look}.png")
