"""Signing up, in and out, and sessions that expire or are shared between tabs."""

from __future__ import annotations

from collections.abc import Callable

from pages.browser import Tab
from playwright.sync_api import Route, expect
from support.services import Service, until
from support.users import PASSWORD, sign_up


def test_a_session_that_is_over_loses_no_draft(service: Service, tab: Callable[..., Tab]) -> None:
    """A dialog asks for the password, and the interrupted action continues."""
    bob, alice = sign_up(service, "bob-over"), sign_up(service, "alice-over")
    one = tab("desk-dark")
    one.expects("401")
    one.sign_in(alice.name)
    one.write(bob.name, "A long letter", "With much thought.")
    alice.revoke_tokens()
    again = one.page.get_by_role("dialog", name="Sign in again")
    expect(again).to_be_visible()
    one.examine("signed-out")
    again.get_by_label("Password of").fill("a wrong one")
    again.get_by_role("button", name="Sign in").click()
    expect(again.get_by_role("alert")).to_have_text("This is not the password of alice-over.")
    expect(again.get_by_label("Password of")).to_be_focused()
    one.page.keyboard.press("Escape")
    expect(again).to_be_hidden()
    expect(one.page.get_by_label("Message", exact=True)).to_have_value("With much thought.")
    one.send()
    expect(again).to_be_visible()
    again.get_by_label("Password of").fill(PASSWORD)
    one.page.keyboard.press("Enter")
    until(lambda: [message["subject"] for message in bob.received()] == ["A long letter"], "the letter")
    one.is_live()
    bob.send(alice.name, "Thanks")
    expect(one.row("Thanks")).to_be_visible()
    one.reload()
    expect(one.row("Thanks")).to_be_visible()


def test_a_sign_up_whose_answer_is_lost_can_be_tried_again(service: Service, tab: Callable[..., Tab]) -> None:
    """The new user is signed in; another user's name is still taken."""
    somebody = sign_up(service, "somebody-else")
    one = tab("desk-light")
    one.expects("ERR_FAILED", "401", "409")
    page = one.page
    lost: list[str] = []

    def lose(route: Route) -> None:
        name = route.request.post_data_json["username"]
        if name in lost:
            return route.continue_()
        lost.append(name)
        route.fetch()
        return route.abort()

    page.route("**/users", lose)
    one.open()
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("E-mail address").fill("alice-sign-up@example.com")
    page.get_by_label("Password", exact=True).fill("another pass phrase")
    for name in (somebody.name, "alice-sign-up"):
        page.get_by_label("Username").fill(name)
        page.get_by_role("button", name="Create account").click()
        expect(page.get_by_role("alert").filter(has_text="The service cannot be reached.")).to_be_visible()
        page.get_by_role("button", name="Create account").click()
        if name == somebody.name:
            expect(page.locator("#access-username-error")).to_have_text("Is taken.")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    expect(page.locator("#me")).to_have_text("alice-sign-up")


def test_declining_to_sign_in_again_is_asked_once(service: Service, tab: Callable[..., Tab]) -> None:
    """Requests that were under way do not ask again; the next action does."""
    alice = sign_up(service, "alice-declines")
    alice.send(alice.name, "Note")
    one = tab("desk-light")
    one.expects("401")
    page = one.page
    one.sign_in(alice.name)
    expect(one.row("Note")).to_be_visible()
    held: list[Route] = []
    page.route("**/messages?per_page*", lambda route: held.append(route))
    one.come_back()
    one.until(lambda: len(held) > 0, "the list is on its way")
    alice.revoke_tokens()
    again = page.get_by_role("dialog", name="Sign in again")
    expect(again).to_be_visible()
    again.get_by_role("button", name="Not now").click()
    for route in held:
        with page.expect_response("**/messages?per_page*"):
            route.continue_()
    page.unroute("**/messages?per_page*")
    page.wait_for_timeout(500)
    expect(again).to_be_hidden()
    one.row("Note").click()
    expect(again).to_be_visible()
