"""The inbox as an installed page: its manifest, its notifications, and its links with the reference."""

from __future__ import annotations

import json
from collections.abc import Callable

from pages.browser import Tab
from playwright.sync_api import expect
from support.services import Service
from support.users import sign_up

# The browser's own functions, which record what they were called with.
RECORD = """
window.told = []; window.badges = [];
const Real = window.Notification;
window.Notification = class extends Real {
  constructor(title, options) { super(title, options); window.told.push([title, options.body]); window.last = this; }
};
const setBadge = navigator.setAppBadge?.bind(navigator) ?? (() => Promise.resolve());
navigator.setAppBadge = (count) => { window.badges.push(count); return setBadge(count); };
"""


def test_the_page_can_be_installed(service: Service, tab: Callable[..., Tab]) -> None:
    """Chromium finds no fault with the manifest, and its icons can be loaded."""
    one = tab("desk-light")
    page = one.page
    one.open()
    browser = one.context.new_cdp_session(page)
    found = browser.send("Page.getAppManifest")
    assert found["url"] == f"{service.url}/inbox/manifest.webmanifest" and found["errors"] == []
    # A browser context is a private window, in which nothing can be installed.
    errors = [each["errorId"] for each in browser.send("Page.getInstallabilityErrors")["installabilityErrors"]]
    assert set(errors) <= {"in-incognito"}, errors
    icons = json.loads(found["data"])["icons"]
    assert {icon["purpose"] for icon in icons} == {"any", "maskable"}
    for icon in icons:
        answer = page.request.get(icon["src"])
        assert answer.headers["content-type"] == icon["type"] == "image/svg+xml"


def test_a_cold_start_needs_few_requests(service: Service, tab: Callable[..., Tab]) -> None:
    """At most 20 with 60 KB, so that the page can soon be used with a slow connection."""
    one = tab("phone-light")
    requests: list[str] = []
    sizes: list[int] = []
    one.page.on("request", lambda request: requests.append(request.url))
    one.page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    one.open()
    one.page.wait_for_load_state("networkidle")
    assert len(requests) <= 20, requests
    assert 0 < sum(sizes) <= 60_000, sizes


def test_the_inbox_and_the_reference_link_to_each_other(service: Service, tab: Callable[..., Tab]) -> None:
    """Also before one signs in, unless the reference is switched off."""
    one = tab("phone-dark")
    one.expects("404")
    page = one.page
    one.open()
    page.get_by_role("link", name="API reference").click()
    expect(page.locator(".opblock").first).to_be_visible()
    page.get_by_role("link", name="Inbox").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.route("**/docs", lambda route: route.fulfill(status=404, body=""))
    with page.expect_response("**/docs"):
        one.reload()
    expect(page.get_by_role("link", name="API reference")).to_be_hidden()


def test_a_hidden_page_notifies_if_that_was_chosen(service: Service, tab: Callable[..., Tab]) -> None:
    """With the sender only, and once for all tabs; the icon has the number of unread messages."""
    bob, alice = sign_up(service, "bob-notifies"), sign_up(service, "alice-notifies")
    one = tab("desk-light")
    one.context.add_init_script(RECORD)
    page = one.page
    one.sign_in(alice.name)
    one.hide()
    bob.send(alice.name, "Unheard")
    expect(page).to_have_title("(1) Inbox – Herolo")
    one.hide(False)
    one.context.grant_permissions(["notifications"])
    page.get_by_role("link", name=f"Account of {alice.name}").click()
    assert page.evaluate("told") == []
    page.get_by_label("Notify me of new messages").check()
    expect(page.get_by_text("You will be notified of new messages.")).to_be_visible()
    one.examine("notices")
    page.evaluate("told.length = 0")
    two = one.another()
    two.open()
    two.is_live()
    two.hide()
    one.hide()
    bob.send(alice.name, "Secret", "The number is 42.")
    two.until(lambda: two.page.evaluate("told.length") > 0, "the notification")
    expect(page).to_have_title("(2) Account – Herolo")
    assert two.page.evaluate("told") == [["New message", f"From {bob.name}"]]
    assert page.evaluate("told") == [], "both tabs have notified"
    two.until(lambda: two.page.evaluate("badges.at(-1)") == 2, "the number on the icon")
    two.page.evaluate("last.dispatchEvent(new Event('click'))")
    expect(two.page.get_by_role("heading", name="Secret")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0


def test_the_choice_of_notifications_ends_with_the_session(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-chooses")
    one = tab("desk-light")
    one.context.add_init_script(RECORD)
    one.sign_in(alice.name)
    one.context.grant_permissions(["notifications"])
    one.page.get_by_role("link", name=f"Account of {alice.name}").click()
    choice = one.page.get_by_label("Notify me of new messages")
    choice.check()
    expect(one.page.get_by_text("You will be notified of new messages.")).to_be_visible()
    one.sign_out()
    one.sign_in(alice.name)
    one.page.get_by_role("link", name=f"Account of {alice.name}").click()
    expect(choice).not_to_be_checked()


def test_a_refused_permission_is_told(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-refuses")
    one = tab("phone-light")
    one.sign_in(alice.name)
    one.page.get_by_role("link", name=f"Account of {alice.name}").click()
    choice = one.page.get_by_label("Notify me of new messages")
    choice.click()
    expect(one.page.get_by_text("The browser does not allow notifications.")).to_be_visible()
    expect(choice).not_to_be_checked()
