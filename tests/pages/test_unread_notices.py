"""Mails about unread messages: their choice in the account, and their end behind the link in a mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import Locator, Route, expect
from support import users
from support.services import Mysql, Service
from support.users import User, sign_up

LABEL = "E-mail about unread messages"


@pytest.fixture
def code_for(mysql: Mysql) -> Callable[[str], str]:
    """Makes codes that end the mails of a user."""

    return lambda name: users.code_for(mysql, name, "unread-messages")


def notices_of(user: User) -> Any:
    """What the account says of these mails."""
    return user.ask("GET", "").get("unread_notices")


def open_choice(one: Tab) -> Locator:
    """Opens the account, and returns the choice."""
    one.page.goto("/#/account")
    choice = one.page.get_by_role("combobox", name=LABEL)
    expect(choice).to_be_visible()
    return choice


@pytest.mark.parametrize("look", LOOKS)
def test_mails_about_unread_messages_are_chosen_in_every_look(
    service: Service, tab: Callable[..., Tab], look: str
) -> None:
    """Each choice is saved at once, and is still there when the account is opened again."""
    alice = sign_up(service, f"alice-mailed-{look}")
    one = tab(look)
    page = one.page
    one.sign_in(alice.name)
    choice = open_choice(one)
    expect(choice.locator("option")).to_have_text(["Never", "After 1 hour", "After 8 hours", "After 1 day"])
    expect(choice).to_have_value("0")
    expect(choice).to_have_accessible_description("They are sent only once your e-mail address is confirmed.")
    choice.scroll_into_view_if_needed()
    one.examine("unread-mails")
    for label, minutes in (("After 1 hour", 60), ("After 8 hours", 480), ("After 1 day", 1440)):
        choice.select_option(label=label)
        expect(page.get_by_text(f"E-mail about unread messages: {label}.")).to_be_visible()
        page.locator(".toast").get_by_role("button", name="Close").click()
        assert notices_of(alice) == {"after_minutes": minutes}
    page.reload()
    expect(choice).to_have_value("1440")
    choice.select_option(label="Never")
    expect(page.get_by_text("E-mail about unread messages: Never.")).to_be_visible()
    assert notices_of(alice) is None


def test_a_time_that_a_program_has_set_is_shown(service: Service, tab: Callable[..., Tab]) -> None:
    """And is still offered after another choice. A choice that cannot be saved is taken back."""
    alice = sign_up(service, "alice-sets")
    alice.ask("PUT", "/unread-notices", {"after_minutes": 90})
    one = tab("desk-light")
    one.expects("500")
    page = one.page
    one.sign_in(alice.name)
    choice = open_choice(one)
    expect(choice).to_have_value("90")
    expect(choice.locator("option:checked")).to_have_text("After 90 minutes")
    page.route("**/unread-notices", lambda route: route.fulfill(status=500, body=""))
    choice.select_option(label="After 1 hour")
    expect(page.get_by_text("Not changed: The service has failed.")).to_be_visible()
    expect(choice).to_have_value("90")
    assert notices_of(alice) == {"after_minutes": 90}
    page.unroute("**/unread-notices")
    choice.select_option(label="After 1 hour")
    expect(page.get_by_text("E-mail about unread messages: After 1 hour.")).to_be_visible()
    choice.select_option(label="After 90 minutes")
    expect(page.get_by_text("E-mail about unread messages: After 90 minutes.")).to_be_visible()
    assert notices_of(alice) == {"after_minutes": 90}


def test_the_last_of_quick_choices_counts(service: Service, tab: Callable[..., Tab]) -> None:
    """As with the arrow keys, whose first choice may still be on its way."""
    alice = sign_up(service, "alice-hurries")
    one = tab("desk-dark")
    page = one.page
    one.sign_in(alice.name)
    choice = open_choice(one)
    held: list[Route] = []
    page.route("**/unread-notices", lambda route: held.append(route) if not held else route.continue_())
    choice.select_option(label="After 1 hour")
    one.until(lambda: len(held) == 1, "the first choice is on its way")
    choice.select_option(label="After 8 hours")
    choice.select_option(label="After 1 day")
    held[0].continue_()
    expect(page.get_by_text("E-mail about unread messages: After 1 day.")).to_be_visible()
    assert notices_of(alice) == {"after_minutes": 1440}


def test_a_service_without_mail_has_no_such_choice(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-unmailed")
    one = tab("desk-light")
    page = one.page
    page.route("**/service", lambda route: route.fulfill(json={"sign_ups": "open", "user_invitations": False}))
    one.sign_in(alice.name)
    page.goto("/#/account")
    expect(page.get_by_role("button", name="Delete account")).to_be_visible()
    expect(page.get_by_role("heading", name="Invitations")).to_have_count(0)
    expect(page.get_by_role("heading", name="Unread messages")).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
def test_the_link_in_a_mail_ends_them_by_a_button(
    service: Service, tab: Callable[..., Tab], code_for: Callable[[str], str], look: str
) -> None:
    """Without a sign-in, also a second time; a wrong code is told."""
    alice = sign_up(service, f"alice-stops-{look}")
    alice.ask("PUT", "/unread-notices", {"after_minutes": 60})
    one = tab(look)
    one.expects("403")
    page = one.page
    stop = page.get_by_role("button", name="Stop these mails")
    page.goto("/#/stop/wrong")
    expect(stop).to_be_focused()
    one.examine("stop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="This code is not valid")).to_be_visible()
    code = code_for(alice.name)
    for _ in range(2):
        page.goto(f"/#/stop/{code}")
        expect(page.get_by_role("heading", name="No more mails about unread messages?")).to_be_visible()
        expect(stop).to_be_focused()
        stop.click()
        expect(page.get_by_role("heading", name="You get no more of these mails")).to_be_focused()
        assert notices_of(alice) is None
        page.goto("/#/inbox")
        expect(page.get_by_role("heading", name="Sign in to Herolo")).to_be_visible()
    page.goto("/#/stop")
    expect(page.get_by_label("Code from the mail")).to_be_focused()
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="You get no more of these mails")).to_be_focused()
    one.examine("stopped")


def test_opening_the_link_ends_nothing_and_the_account_is_next(
    service: Service, tab: Callable[..., Tab], code_for: Callable[[str], str]
) -> None:
    """For a user who is signed in."""
    alice = sign_up(service, "alice-reads-mail")
    alice.ask("PUT", "/unread-notices", {"after_minutes": 60})
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    page.goto(f"/#/stop/{code_for(alice.name)}")
    stop = page.get_by_role("button", name="Stop these mails")
    expect(stop).to_be_visible()
    assert notices_of(alice) == {"after_minutes": 60}
    stop.click()
    page.get_by_role("link", name="Go to your account").click()
    expect(page.get_by_role("heading", name="Account", exact=True)).to_be_visible()
    expect(page.get_by_role("combobox", name=LABEL)).to_have_value("0")
    one.is_live()
