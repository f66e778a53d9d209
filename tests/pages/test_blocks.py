"""Blocking the sender of a message, and unblocking."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import expect
from support.services import Service, until
from support.users import User, sign_up


def blocked_by(user: User) -> list[str]:
    """The names of the users that this user blocks."""
    return [block["username"] for block in user.ask("GET", "/blocks")["blocks"]]


@pytest.mark.parametrize("look", LOOKS)
def test_a_sender_is_blocked_and_unblocked_in_every_look(service: Service, tab: Callable[..., Tab], look: str) -> None:
    bob, alice = sign_up(service, f"bob-block-{look}"), sign_up(service, f"alice-block-{look}")
    bob.send(alice.name, "Before")
    one = tab(look)
    page = one.page
    one.sign_in(alice.name)
    one.row("Before").click()
    page.get_by_role("button", name="Block", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Block {bob.name}?")
    expect(dialog).to_contain_text(f"New messages by {bob.name} will not reach you, and {bob.name} is not told.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    one.examine("block")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert blocked_by(alice) == []
    page.get_by_role("button", name="Block", exact=True).click()
    dialog.get_by_role("button", name="Block", exact=True).click()
    expect(page.get_by_text(f"{bob.name} is blocked.")).to_be_visible()
    assert blocked_by(alice) == [bob.name]
    bob.send(alice.name, "Unheard")
    button = page.get_by_role("button", name="Unblock", exact=True)
    one.examine("blocked")
    button.click()
    until(lambda: blocked_by(alice) == [], "the end of the block")
    page.locator(".toast").filter(has_text="is unblocked").get_by_role("button", name="Undo").click()
    until(lambda: blocked_by(alice) == [bob.name], "the block again")
    one.reload()
    expect(button).to_be_visible()

    page.get_by_role("link", name=f"Account of {alice.name}").click()
    expect(page.get_by_role("heading", name="Account", exact=True)).to_be_focused()
    expect(page.get_by_role("list", name="Blocked users").get_by_role("listitem")).to_have_count(1)
    one.examine("blocks")
    page.get_by_role("button", name=f"Unblock {bob.name}").click()
    expect(page.get_by_text("You block nobody.")).to_be_visible()
    expect(page.get_by_role("heading", name="Blocked users")).to_be_focused()
    until(lambda: blocked_by(alice) == [], "the end of the block")
    page.locator(".toast").filter(has_text="is unblocked").get_by_role("button", name="Undo").click()
    until(lambda: blocked_by(alice) == [bob.name], "the block again")
    page.keyboard.press("Escape")
    assert [message["subject"] for message in alice.received()] == ["Before"]


def test_neither_oneself_nor_a_deleted_account_can_be_blocked(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-herself")
    alice.send(alice.name, "Note")
    one = tab("desk-light")
    one.sign_in(alice.name)
    one.row("Note").click()
    expect(one.page.get_by_role("button", name="Mark unread")).to_be_visible()
    expect(one.page.get_by_role("button", name="Block", exact=True)).to_have_count(0)


def test_blocks_that_cannot_be_loaded_or_set_are_told(service: Service, tab: Callable[..., Tab]) -> None:
    """The reason of the service is shown, and the list can be loaded again."""
    bob, alice = sign_up(service, "bob-limit"), sign_up(service, "alice-limit")
    bob.send(alice.name, "Hello")
    one = tab("phone-light")
    one.expects("409", "500")
    page = one.page
    refusal = {"status": 409, "detail": "This account blocks 500 users, which is the maximum; unblock one first."}
    page.route(
        "**/blocks/*", lambda route: route.fulfill(status=409, json=refusal, content_type="application/problem+json")
    )
    one.sign_in(alice.name)
    one.row("Hello").click()
    page.get_by_role("button", name="Block", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Block", exact=True).click()
    expect(page.get_by_text("Not blocked: This account blocks 500 users")).to_be_visible()
    page.route("**/blocks", lambda route: route.fulfill(status=500, body=""))
    one.open("/#/account")
    alert = page.locator("#pane").get_by_role("alert")
    expect(alert).to_contain_text("The service has failed.")
    page.unroute("**/blocks")
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("You block nobody.")).to_be_visible()
