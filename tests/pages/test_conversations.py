"""Conversations: what a message answers, the view of what belongs together, and the receivers that are offered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import Page, expect
from support.services import Service, until
from support.users import User, sign_up


def answer(user: User, receiver: str, original: int, message: str) -> int:
    """Sends a reply and returns its id."""
    body = {"receiver": receiver, "subject": "Re: Lunch", "message": message, "in_reply_to": original}
    return user.ask("POST", "/messages", body)["id"]


@pytest.mark.parametrize("look", LOOKS)
def test_a_conversation_is_read_in_every_look(service: Service, tab: Callable[..., Tab], look: str) -> None:
    """A reply shows its original; the view of the conversation marks as read what it shows."""
    bob, alice = sign_up(service, f"bob-talks-{look}"), sign_up(service, f"alice-talks-{look}")
    lunch = bob.send(alice.name, "Lunch", "At noon?")
    one = tab(look)
    page = one.page
    one.sign_in(alice.name)
    one.row("Lunch").click()
    expect(page.locator(".message-text")).to_have_text("At noon?")
    page.get_by_role("button", name="Reply").click()
    page.get_by_label("Message", exact=True).fill("Gladly. Where?")
    one.send()
    until(lambda: [each.get("in_reply_to") for each in bob.received()] == [lunch], "the reply")
    harbour = answer(bob, alice.name, bob.received()[0]["id"], "At the harbour: https://example.com/harbour")
    answer(bob, alice.name, harbour, "The one in the north.")
    expect(page.locator("#unread-badge")).to_have_text("2")
    one.open(f"/#/inbox/{harbour}")
    original = page.locator("#original")
    expect(original).to_contain_text(f"In reply to your message to {bob.name}")
    expect(original).to_contain_text("Gladly. Where?")
    one.examine("reply")
    original.click()
    expect(page.locator(".message-text")).to_have_text("Gladly. Where?")
    expect(original).to_contain_text("At noon?")
    page.keyboard.press("v")
    title = page.get_by_role("heading", name="Conversation: Lunch")
    expect(title).to_be_focused()
    texts = page.locator(".letters .message-text")
    expect(texts).to_have_text(
        ["The one in the north.", "At the harbour: https://example.com/harbour", "Gladly. Where?", "At noon?"]
    )
    expect(page.locator(".letters .new")).to_have_count(1)
    expect(page.locator("#unread-badge")).to_be_hidden()
    until(lambda: all(each["read"] for each in alice.received()), "the marks")
    one.examine("conversation")
    page.locator(".letters").get_by_role("link", name=f"Open the message by {bob.name}").first.click()
    # A list, since the texts of the conversation are there until the message is.
    expect(page.locator(".message-text")).to_have_text(["The one in the north."])
    page.keyboard.press("Escape")
    expect(title).to_be_focused()
    # What arrives meanwhile is shown, and `r` answers the newest message.
    answer(bob, alice.name, harbour, "Bring Carol.")
    expect(texts.first).to_have_text("Bring Carol.")
    page.keyboard.press("r")
    expect(page.get_by_label("Subject")).to_have_value("Re: Lunch")
    page.keyboard.press("Escape")
    expect(title).to_be_focused()
    page.get_by_role("button", name="Close", exact=True).first.click()
    expect(page.locator(".message-text")).to_have_text("Gladly. Where?")


def test_a_deleted_original_is_not_shown(service: Service, tab: Callable[..., Tab]) -> None:
    """Nor is one that is deleted while its reply is open; the reply and a draft of one are still good."""
    bob, alice = sign_up(service, "bob-deleted"), sign_up(service, "alice-deleted")
    secret = bob.send(alice.name, "Lunch", "The number is 42.")
    reply = answer(bob, alice.name, secret, "Forget it.")
    question = bob.send(alice.name, "Question", "Well?")
    one = tab("desk-light")
    one.expects("404", "422")
    page = one.page
    one.sign_in(alice.name)
    one.open(f"/#/inbox/{reply}")
    expect(page.locator("#original")).to_contain_text("The number is 42.")
    bob.ask("DELETE", f"/messages/{secret}")
    one.come_back()
    expect(page.get_by_text("It answers a message that was deleted.")).to_be_visible()
    expect(page.get_by_text("The number is 42.")).to_have_count(0)
    expect(page.locator("#conversation-link")).to_have_count(0)
    one.row("Question").click()
    page.get_by_role("button", name="Reply").click()
    page.get_by_label("Message", exact=True).fill("Well.")
    bob.ask("DELETE", f"/messages/{question}")
    one.send()
    expect(
        page.get_by_text("Sent. The message that it answers was deleted, so it begins a conversation.")
    ).to_be_visible()
    assert [(each["message"], "in_reply_to" in each) for each in bob.received()] == [("Well.", False)]


def test_a_long_conversation_is_read_page_by_page(service: Service, tab: Callable[..., Tab]) -> None:
    """A failure is told in the view, and can be tried again."""
    bob, alice = sign_up(service, "bob-long"), sign_up(service, "alice-long")
    first = bob.send(alice.name, "Lunch", "Number 0")
    for number in range(1, 24):
        answer(bob, alice.name, first, f"Number {number}")
    one = tab("phone-dark")
    one.expects("500", "404")
    page = one.page
    one.sign_in(alice.name)
    page.route("**/messages?conversation=*", lambda route: route.fulfill(status=500, body=""))
    one.open(f"/#/conversation/{first}")
    expect(page.get_by_role("heading", name="The conversation cannot be shown")).to_be_focused()
    one.examine("conversation-failed")
    page.unroute("**/messages?conversation=*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".letters li")).to_have_count(20)
    page.get_by_role("button", name="Show earlier messages").click()
    expect(page.locator(".letters li")).to_have_count(24)
    expect(page.locator(".letters .message-text").last).to_have_text("Number 0")
    bob.ask("DELETE", f"/messages/{first}")
    one.come_back()
    expect(page.locator(".letters li")).to_have_count(23)
    page.get_by_role("button", name="Close", exact=True).first.click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()


def expect_offered(page: Page, *receivers: str) -> None:
    """Waits until the field of the receivers offers these, in this order."""
    options = page.locator("#compose-people option")
    expect(options).to_have_count(len(receivers))
    for index, receiver in enumerate(receivers):
        expect(options.nth(index)).to_have_attribute("value", receiver)


def test_receivers_are_offered_from_the_loaded_messages(service: Service, tab: Callable[..., Tab]) -> None:
    """For each name of the field; neither oneself nor those who are already in it."""
    alice = sign_up(service, "alice-offers")
    for name in ("bob-offers", "carol-offers"):
        sign_up(service, name).send(alice.name)
    sign_up(service, "dora-offers")
    alice.send("dora-offers")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    expect(page.locator("#rows a")).to_have_count(2)
    page.get_by_role("link", name="Sent").click()
    expect(page.locator("#rows a")).to_have_count(1)
    page.get_by_role("link", name="Write").click()
    expect_offered(page, "dora-offers", "carol-offers", "bob-offers")
    to = page.get_by_label("To", exact=True)
    expect(to).to_have_attribute("list", "compose-people")
    to.fill("carol-offers, b")
    expect_offered(page, "carol-offers, dora-offers", "carol-offers, bob-offers")
    assert page.evaluate("localStorage.length") == 0
