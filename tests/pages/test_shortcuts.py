"""Shortcuts, links in messages, and what a hidden tab shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import expect
from support.services import Service, until
from support.users import sign_up


@pytest.mark.parametrize("look", LOOKS)
def test_the_overview_shows_the_shortcuts_in_every_look(service: Service, tab: Callable[..., Tab], look: str) -> None:
    """By its key, and from the account, which also leads to the reference."""
    alice = sign_up(service, f"alice-overview-{look}")
    one = tab(look)
    page = one.page
    one.sign_in(alice.name)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    one.examine("shortcuts")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("link", name=f"Account of {alice.name}").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(dialog).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keyboard shortcuts")).to_be_focused()
    page.get_by_role("link", name="API reference").click()
    expect(page.locator(".opblock").first).to_be_visible()
    page.get_by_role("link", name="Inbox").click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()


def test_shortcuts_do_what_the_overview_says(service: Service, tab: Callable[..., Tab]) -> None:
    """Not while one writes, and not after they were switched off."""
    bob, alice = sign_up(service, "bob-shortcuts"), sign_up(service, "alice-shortcuts")
    for subject in ("One", "Two", "Three"):
        bob.send(alice.name, subject)
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    press = page.keyboard.press
    expect(page.locator("#rows a")).to_have_count(3)
    press("j")
    expect(one.row("Three")).to_be_focused()
    press("j")
    press("k")
    press("Enter")
    expect(page.get_by_role("heading", name="Three")).to_be_focused()
    expect(page.locator("#unread-badge")).to_have_text("2")
    press("j")
    expect(page.get_by_role("heading", name="Two")).to_be_focused()
    expect(page.locator("#unread-badge")).to_have_text("1")
    press("u")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    until(lambda: [message["read"] for message in alice.received()] == [True, False, False], "the mark")
    one.row("Two").focus()
    press("x")
    press("j")
    press("x")
    expect(page.locator("#selected-count")).to_have_text("2 selected")
    press("#")
    expect(page.locator("#rows .row-subject")).to_have_text(["Three"])
    press("z")
    expect(page.locator("#rows a")).to_have_count(3)
    press("/")
    expect(page.get_by_label("Words")).to_be_focused()
    page.keyboard.type("c?")
    expect(page.get_by_label("Words")).to_have_value("c?")
    press("Escape")
    press("s")
    expect(page.get_by_role("heading", name="Sent")).to_be_visible()
    press("i")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    press("c")
    expect(page.get_by_label("To", exact=True)).to_be_focused()
    page.keyboard.type("?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Discard").click()
    one.row("One").click()
    expect(page.get_by_role("heading", name="One")).to_be_focused()
    press("r")
    expect(page.get_by_label("Subject")).to_have_value("Re: One")
    press("Escape")
    expect(page.get_by_role("heading", name="One")).to_be_visible()
    press("?")
    page.get_by_label("Use single keys in this tab").uncheck()
    press("Escape")
    press("c")
    press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("heading", name="One")).to_be_visible()


def test_addresses_in_a_text_are_links(service: Service, tab: Callable[..., Tab]) -> None:
    """The text stays as it is; only addresses of web pages are links, and they tell the other page nothing."""
    alice = sign_up(service, "alice-links")
    text = (
        "See https://example.com/a_(b)?q=1&r=ü#x, (http://example.org/). HTTPS://EXAMPLE.NET/x!\n"
        "javascript:alert(1) data:text/html,x https:// <a href='https://example.com/q'>no</a> "
        "https://example.com/\u202egnp.exe " + "https://example.com/" + ")" * 20_000
    )
    alice.send(alice.name, "Links", text)
    one = tab("phone-light")
    page = one.page
    one.sign_in(alice.name)
    one.row("Links").click()
    links = page.locator(".message-text a")
    expect(links).to_have_count(6)
    assert page.locator(".message-text").text_content() == text
    assert links.evaluate_all("(all) => all.map((one) => one.getAttribute('href'))") == [
        "https://example.com/a_(b)?q=1&r=ü#x",
        "http://example.org/",
        "HTTPS://EXAMPLE.NET/x",
        "https://example.com/q",
        "https://example.com/",
        "https://example.com/",
    ]
    for name, value in (("rel", "noopener noreferrer"), ("target", "_blank")):
        assert set(links.evaluate_all(f"(all) => all.map((one) => one.getAttribute('{name}'))")) == {value}
    one.examine("links")


def test_a_hidden_tab_tells_of_new_messages(service: Service, tab: Callable[..., Tab]) -> None:
    """By its title and its icon, which is as before when the tab is seen again."""
    bob, alice = sign_up(service, "bob-away"), sign_up(service, "alice-away")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    icon = page.locator('link[rel="icon"]')
    one.hide()
    expect(icon).to_have_attribute("href", "/inbox/icon.svg")
    bob.send(alice.name, "News")
    expect(page).to_have_title("(1) Inbox – Herolo")
    expect(icon).to_have_attribute("href", "/inbox/icon-unread.svg")
    one.hide(False)
    expect(icon).to_have_attribute("href", "/inbox/icon.svg")


def test_a_shortcut_deletes_the_open_message_or_the_selection(service: Service, tab: Callable[..., Tab]) -> None:
    """The open message, unless the focus is in the list."""
    bob, alice = sign_up(service, "bob-hash"), sign_up(service, "alice-hash")
    for subject in ("Apple", "Pear"):
        bob.send(alice.name, subject)
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    one.row("Pear").focus()
    page.keyboard.press("x")
    one.row("Apple").click()
    expect(page.get_by_role("heading", name="Apple")).to_be_focused()
    page.keyboard.press("#")
    page.get_by_role("dialog", name="Delete this message?").get_by_role("button", name="Delete").click()
    expect(page.locator("#rows .row-subject")).to_have_text(["Pear"])
    one.row("Pear").focus()
    page.keyboard.press("#")
    expect(page.locator("#rows a")).to_have_count(0)
