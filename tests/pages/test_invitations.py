"""Signing up with an invitation, and a service that accepts no sign-ups."""

from __future__ import annotations

from collections.abc import Callable

from pages.browser import Tab
from playwright.sync_api import Route, expect
from support.services import Service
from support.users import sign_up


def answer_with(tab: Tab, policy: str) -> None:
    """Makes the page believe that the service accepts these sign-ups."""

    def answer(route: Route) -> None:
        route.fulfill(json={"sign_ups": policy, "user_invitations": False})

    tab.page.route("**/service", answer)


def test_the_code_in_the_address_signs_up(service: Service, tab: Callable[..., Tab]) -> None:
    inviter = sign_up(service, "alice-invites")
    code = inviter.ask("POST", "/invitations")["code"]
    one = tab("phone-light")
    answer_with(one, "invited")
    page = one.page
    page.goto(f"/#/invitation/{code}")
    expect(page.get_by_role("heading", name="Create your account")).to_be_visible()
    expect(page.get_by_label("Invitation")).to_have_value(code)
    one.examine("invited")
    page.get_by_label("Username").fill("bob-invited")
    page.get_by_label("E-mail address").fill("bob-invited@example.com")
    page.get_by_label("Password", exact=True).fill("another pass phrase")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    assert page.url.endswith("#/inbox")
    assert inviter.ask("GET", "/invitations") == {"invitations": []}


def test_a_wrong_code_is_told(tab: Callable[..., Tab]) -> None:
    one = tab("desk-light")
    one.expects("403")
    page = one.page
    page.goto("/#/invitation/wrong")
    page.get_by_label("Username").fill("carol-invited")
    page.get_by_label("E-mail address").fill("carol-invited@example.com")
    page.get_by_label("Password", exact=True).fill("another pass phrase")
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#access-invitation-error")).to_contain_text("no open invitation with this code")
    expect(page.get_by_label("Invitation")).to_be_focused()


def test_a_service_that_needs_invitations_asks_for_one(tab: Callable[..., Tab]) -> None:
    one = tab("desk-dark")
    answer_with(one, "invited")
    page = one.page
    with page.expect_response("**/service"):
        page.goto("/")
    page.get_by_role("button", name="Create an account").click()
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#access-invitation-error")).to_have_text("Please fill this in.")


def test_an_open_service_does_not_ask_for_an_invitation(tab: Callable[..., Tab]) -> None:
    page = tab("desk-light").page
    with page.expect_response("**/service"):
        page.goto("/")
    page.get_by_role("button", name="Create an account").click()
    expect(page.get_by_label("E-mail address")).to_be_visible()
    expect(page.get_by_label("Invitation")).to_be_hidden()


def test_a_closed_service_offers_no_sign_up(tab: Callable[..., Tab]) -> None:
    one = tab("phone-dark")
    answer_with(one, "closed")
    page = one.page
    for address in ("/", "/#/invitation/3k9v0c7m2x8q5r1t6w4z0hjnpd"):
        page.goto(address)
        with page.expect_response("**/service"):
            page.reload()
        expect(page.get_by_role("button", name="Create an account")).to_be_hidden()
        expect(page.get_by_role("heading", name="Sign in to Herolo")).to_be_visible()
        expect(page.get_by_label("E-mail address")).to_be_hidden()
