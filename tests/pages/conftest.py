"""The pages of the service, in a real Chromium.

Environment, all optional:
  PICTURES  a folder for a picture of each view (target/pages)
  CHROMIUM  a Chromium or Chrome to use
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages.browser import Tabs
from pages.chromium import provide_chromium
from playwright.sync_api import Browser, Error, sync_playwright
from support.services import REPOSITORY, Service


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fails a test if a console has reported an error, and takes pictures of the tabs of a failed test."""
    tabs = getattr(item, "funcargs", {}).get("tab")
    try:
        result = yield
        if tabs:
            tabs.check()
        return result
    except Exception as fault:
        if tabs:
            try:
                complaints = tabs.picture_failure(re.sub(r"[^a-z0-9]+", "-", item.name))
            except Error as other:
                complaints = [f"no picture of the failure: {other}"]
            item.add_report_section("call", "errors of the console", "\n".join(complaints))
        raise fault


@pytest.fixture(scope="session")
def service_settings() -> dict[str, str]:
    """All tests are one client, so there are no rate limits."""
    limits = {f"HEROLO_LIMIT_{name}": "0" for name in ("LOGINS", "SIGN_UPS", "SENDS")}
    # Of a mail server that is away.
    mail = {
        "HEROLO_SMTP_URL": "smtp://127.0.0.1:9?tls=none",
        "HEROLO_MAIL_FROM": "herolo@example.com",
        "HEROLO_PUBLIC_URL": "https://herolo.example.com",
    }
    return {**limits, **mail, "HEROLO_DRAIN_SECONDS": "0", "HEROLO_USER_INVITATIONS": "5"}


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Chromium, without a window."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        chromium = provide_chromium()
    # Chromium gets no signal of the terminal: it is closed below.
    with sync_playwright() as playwright:
        # Its sandbox needs a user other than root.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"], handle_sigint=False)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """The folder for the pictures."""
    given = os.environ.get("PICTURES")
    folder = Path(given) if given else Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target") / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def tab(browser: Browser, service: Service, pictures: Path) -> Iterator[Tabs]:
    """Opens tabs, each in a browser of its own and in one of the looks."""
    tabs = Tabs(browser, service, pictures)
    yield tabs
    tabs.close()
