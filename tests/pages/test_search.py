"""Searching the inbox and the sent box by words, sender and day."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import Route, expect
from support.services import Service
from support.users import sign_up


@pytest.mark.parametrize("look", LOOKS)
def test_messages_are_found_in_every_look(service: Service, tab: Callable[..., Tab], look: str) -> None:
    """By words and by sender; the results stay when one is read, and end with the search."""
    bob, carol = sign_up(service, f"bob-search-{look}"), sign_up(service, f"carol-search-{look}")
    alice = sign_up(service, f"alice-search-{look}")
    bob.send(alice.name, "Lunch", "At the café by the river.")
    carol.send(alice.name, "Coffee", "In the CAFE at noon?")
    bob.send(alice.name, "Minutes", "As promised.")
    one = tab(look)
    one.expects("422")
    page = one.page
    one.sign_in(alice.name)
    page.get_by_role("button", name="Search messages").click()
    words = page.get_by_label("Words")
    expect(words).to_be_focused()
    words.fill("cafe")
    page.keyboard.press("Enter")
    expect(page.locator("#rows .row-subject")).to_have_text(["Coffee", "Lunch"])
    expect(page.locator("#alerts")).to_have_text("2 messages found.")
    one.examine("search")
    one.row("Lunch").click()
    expect(page.get_by_role("heading", name="Lunch")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#rows .row-subject")).to_have_text(["Coffee", "Lunch"])
    page.get_by_label("From").fill(carol.name)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#rows .row-subject")).to_have_text(["Coffee"])
    words.fill("promised")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("Nothing found", exact=True)).to_be_visible()
    one.examine("search-empty")
    words.fill("one two three four five six")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#search-q-error")).to_contain_text("1 to 5 words")
    expect(words).to_be_focused()
    one.examine("search-error")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Search messages")).to_be_focused()
    expect(page.locator("#rows a")).to_have_count(3)


def test_the_sent_box_is_searched_by_words_and_day(service: Service, tab: Callable[..., Tab]) -> None:
    """A day begins where the user is; messages that arrive do not appear among the results."""
    bob, alice = sign_up(service, "bob-day"), sign_up(service, "alice-day")
    alice.send(bob.name, "Lunch")
    alice.send(bob.name, "Tea")
    one = tab("desk-light", timezone_id="America/New_York")
    page = one.page
    one.sign_in(alice.name)
    page.get_by_role("link", name="Sent").click()
    page.get_by_role("button", name="Search messages").click()
    expect(page.get_by_label("From")).to_be_hidden()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#search-q-error")).to_have_text("Enter words or a day.")
    page.get_by_label("Since").fill("2026-07-04")
    page.get_by_label("Words").fill("lunch")
    with page.expect_request("**/messages?*") as request:
        page.get_by_role("button", name="Search", exact=True).click()
    assert "since=2026-07-04T04%3A00%3A00.000Z" in request.value.url and "box=sent" in request.value.url
    expect(page.locator("#rows .row-subject")).to_have_text(["Lunch"])
    one.row("Lunch").click()
    expect(page.get_by_role("list", name="Receivers")).to_be_visible()
    page.get_by_role("link", name="Inbox").click()
    expect(page.locator("#search")).to_be_hidden()
    expect(page.get_by_text("No messages yet")).to_be_visible()


def test_a_search_goes_on_where_a_page_is_empty(service: Service, tab: Callable[..., Tab]) -> None:
    """A page of a search may be empty and have a next one; what arrives meanwhile is not among the results."""
    bob, alice = sign_up(service, "bob-on"), sign_up(service, "alice-on")
    needle = bob.send(alice.name, "Needle")
    one = tab("phone-dark")
    page = one.page
    one.sign_in(alice.name)
    skipped: list[str] = []

    def skip(route: Route) -> None:
        if "q=" not in route.request.url or "before=" in route.request.url:
            return route.continue_()
        skipped.append(route.request.url)
        after = f"/users/{alice.name}/messages?per_page=20&q=needle&before={needle + 1}"
        return route.fulfill(json={"messages": [], "page": 1, "per_page": 20, "next": after})

    page.route("**/messages?*", skip)
    page.get_by_role("button", name="Search messages").click()
    page.get_by_label("Words").fill("needle")
    page.keyboard.press("Enter")
    expect(page.locator("#rows .row-subject")).to_have_text(["Needle"])
    bob.send(alice.name, "Hay")
    expect(page.locator("#unread-badge")).to_have_text("2")
    one.come_back()
    page.wait_for_timeout(300)
    expect(page.locator("#rows .row-subject")).to_have_text(["Needle"])
    assert len(skipped) == 1, "a search was repeated without being asked for"
    page.get_by_role("button", name="End search").click()
    expect(page.locator("#rows .row-subject")).to_have_text(["Hay", "Needle"])


def test_a_refused_search_is_told_and_can_be_tried_again(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-often")
    alice.send(alice.name, "Needle")
    one = tab("desk-light")
    one.expects("429")
    page = one.page
    one.sign_in(alice.name)
    refusal = {"status": 429, "detail": "You may search again in 40 seconds."}
    page.route(
        "**/messages?*q=*",
        lambda route: route.fulfill(
            status=429, json=refusal, content_type="application/problem+json", headers={"Retry-After": "40"}
        ),
    )
    page.get_by_role("button", name="Search messages").click()
    page.get_by_label("Words").fill("needle")
    page.keyboard.press("Enter")
    expect(page.locator("#list-error")).to_contain_text("You may search again in 40 seconds.")
    page.unroute("**/messages?*q=*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#rows .row-subject")).to_have_text(["Needle"])
