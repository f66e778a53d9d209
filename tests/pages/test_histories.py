"""Navigation: the page's own Back and the browser's history."""

from __future__ import annotations

from collections.abc import Callable

from pages.browser import Tab
from playwright.sync_api import expect
from support.services import Service, until
from support.users import sign_up


def test_back_leads_back_however_one_left(service: Service, tab: Callable[..., Tab]) -> None:
    """On a telephone: the page's own Back, a deletion and a sent message leave nothing behind."""
    bob, alice = sign_up(service, "bob-back"), sign_up(service, "alice-back")
    for subject in ("First", "Second", "Third"):
        bob.send(alice.name, subject)
    one = tab("phone-light")
    page = one.page
    listed = page.get_by_role("heading", name="Inbox")
    one.open("/docs")
    one.sign_in(alice.name)
    length = page.evaluate("history.length")
    for _ in range(3):
        one.row("First").click()
        expect(page.get_by_role("heading", name="First")).to_be_focused()
        page.get_by_role("button", name="Back").click()
        expect(listed).to_be_visible()
        expect(one.row("First")).to_be_focused()
    assert page.evaluate("history.length") == length + 1
    one.row("Second").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(listed).to_be_visible()
    expect(one.row("Second")).to_have_count(0)
    page.go_forward()
    expect(listed).to_be_visible()
    expect(page.get_by_role("heading", name="Second")).to_have_count(0)
    page.go_back()
    one.row("Third").click()
    page.get_by_role("button", name="Reply").click()
    page.get_by_label("Message", exact=True).fill("Good.")
    one.send()
    until(lambda: len(bob.received()) == 1, "the answer")
    expect(page.get_by_role("heading", name="Third")).to_be_visible()
    page.go_back()
    expect(listed).to_be_visible()
    page.go_back()
    expect(page.locator(".opblock").first).to_be_visible()


def test_a_message_that_was_linked_to_has_a_list_behind_it(service: Service, tab: Callable[..., Tab]) -> None:
    """Back shows the list instead of leaving the page, although the list was not open before."""
    bob, alice = sign_up(service, "bob-linked"), sign_up(service, "alice-linked")
    message = bob.send(alice.name, "Linked")
    one = tab("phone-dark")
    page = one.page
    one.sign_in(alice.name)
    two = one.another()
    two.open(f"/#/inbox/{message}")
    expect(two.page.get_by_role("heading", name="Linked")).to_be_visible()
    two.page.keyboard.press("Escape")
    two.page.keyboard.press("Escape")
    expect(two.page.get_by_role("heading", name="Inbox")).to_be_visible()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
