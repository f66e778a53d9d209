"""Replacing a forgotten password. Mails themselves are tested with the service; a code gets into the database here."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import Route, expect
from support import users
from support.services import Mysql, Service
from support.users import PASSWORD, sign_up

NEW_PASSWORD = "a phrase to remember"


@pytest.fixture
def code_for(mysql: Mysql) -> Callable[[str], str]:
    """Makes codes that are good for a user."""

    return lambda name: users.code_for(mysql, name, "password-reset")


@pytest.mark.parametrize("look", LOOKS)
def test_a_forgotten_password_is_replaced_with_the_code_of_a_mail(
    service: Service, tab: Callable[..., Tab], code_for: Callable[[str], str], look: str
) -> None:
    alice = sign_up(service, f"alice-forgets-{look}")
    one = tab(look)
    one.expects("403")
    page = one.page
    page.goto("/")
    page.get_by_role("link", name="Forgot your password?").click()
    expect(page.get_by_role("heading", name="Forgot your password?")).to_be_visible()
    expect(page.get_by_label("Username or e-mail address")).to_be_focused()
    one.examine("forgotten")
    page.get_by_role("button", name="Send the mail").click()
    expect(page.locator("#forgotten-account-error")).to_have_text("Please fill this in.")
    page.get_by_label("Username or e-mail address").fill(alice.name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="a mail with a code is on its way")).to_be_visible()
    expect(page.get_by_label("Code from the mail")).to_be_focused()
    page.get_by_label("Code from the mail").fill("wrong")
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert").filter(has_text="This code is not valid")).to_be_visible()
    one.examine("recovery-error")
    page.get_by_label("Code from the mail").fill(code_for(alice.name))
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    assert page.url.endswith("#/inbox")
    assert service.request("POST", f"/users/{alice.name}/token", {"password": PASSWORD})[0] == 401
    assert service.request("POST", f"/users/{alice.name}/token", {"password": NEW_PASSWORD})[0] == 201


def test_the_link_in_a_mail_asks_for_the_password_alone_even_of_a_user_who_is_signed_in(
    service: Service, tab: Callable[..., Tab], code_for: Callable[[str], str]
) -> None:
    alice = sign_up(service, "alice-follows-link")
    code = code_for(alice.name)
    one = tab("desk-light")
    one.expects("401")
    page = one.page
    one.sign_in(alice.name)
    page.goto(f"/#/forgotten/{code}")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    expect(page.get_by_label("Code from the mail")).to_have_value(code)
    expect(page.get_by_label("New password")).to_be_focused()
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    assert service.request("POST", f"/users/{alice.name}/token", {"password": NEW_PASSWORD})[0] == 201


def test_the_way_back_leads_to_the_inbox_of_a_user_who_is_signed_in(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-remembers")
    one = tab("phone-light")
    page = one.page
    one.sign_in(alice.name)
    page.goto("/#/forgotten")
    expect(page.get_by_role("heading", name="Inbox")).to_be_hidden()
    page.get_by_role("link", name="Go to the inbox").click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_service_without_mail_does_not_offer_it(tab: Callable[..., Tab]) -> None:
    def answer(route: Route) -> None:
        route.fulfill(json={"sign_ups": "open", "user_invitations": False})

    page = tab("desk-dark").page
    page.route("**/service", answer)
    with page.expect_response("**/service"):
        page.goto("/")
    expect(page.get_by_role("button", name="Create an account")).to_be_visible()
    expect(page.get_by_role("link", name="Forgot your password?")).to_be_hidden()
