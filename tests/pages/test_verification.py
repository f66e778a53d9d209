"""Confirming an e-mail address. Mails themselves are tested with the service; a code gets into the database here."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import Route, expect
from support import users
from support.services import Mysql, Service
from support.users import sign_up


@pytest.fixture
def code_for(mysql: Mysql) -> Callable[[str], str]:
    """Makes codes that prove the address of a user."""

    return lambda name: users.code_for(mysql, name, "email-verification")


@pytest.mark.parametrize("look", LOOKS)
def test_an_address_is_confirmed_by_a_button_behind_the_link_of_a_mail(
    service: Service, tab: Callable[..., Tab], code_for: Callable[[str], str], look: str
) -> None:
    alice = sign_up(service, f"alice-confirms-{look}")
    one = tab(look)
    one.expects("403")
    page = one.page
    page.goto("/#/verify/wrong")
    expect(page.get_by_role("button", name="Confirm the address")).to_be_focused()
    one.examine("verification")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="This code is not valid")).to_be_visible()
    page.goto(f"/#/verify/{code_for(alice.name)}")
    expect(page.get_by_role("heading", name="Confirm your e-mail address")).to_be_visible()
    assert not alice.ask("GET", "")["email_verified"], "opening the link alone has no effect"
    page.get_by_role("button", name="Confirm the address").click()
    expect(page.get_by_role("heading", name="The address is confirmed")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=f"{alice.name}@example.com")).to_be_visible()
    one.examine("verification-done")
    assert alice.ask("GET", "")["email_verified"]
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("heading", name="Sign in to Herolo")).to_be_visible()


def test_a_confirmed_address_is_shown_to_a_user_who_is_signed_in(
    service: Service, tab: Callable[..., Tab], code_for: Callable[[str], str]
) -> None:
    alice = sign_up(service, "alice-confirmed")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    page.goto(f"/#/verify/{code_for(alice.name)}")
    page.get_by_role("button", name="Confirm the address").click()
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    page.goto("/#/account")
    address = page.get_by_role("region", name="E-mail address")
    expect(address).to_contain_text("It is alice-confirmed@example.com, and confirmed.")
    expect(address.get_by_role("button", name="Send the mail again")).to_have_count(0)


def test_a_service_without_mail_says_nothing_of_it(service: Service, tab: Callable[..., Tab]) -> None:
    def answer(route: Route) -> None:
        route.fulfill(json={"sign_ups": "open", "user_invitations": False})

    alice = sign_up(service, "alice-mailless")
    one = tab("desk-dark")
    one.page.route("**/service", answer)
    one.sign_in(alice.name)
    one.page.goto("/#/account")
    address = one.page.get_by_role("region", name="E-mail address")
    expect(address).to_contain_text("It is alice-mailless@example.com.")
    expect(address.get_by_role("button", name="Send the mail again")).to_have_count(0)
