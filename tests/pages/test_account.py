"""The view of the account: e-mail address, password, data, invitations, sessions, deletion."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import Locator, Route, expect
from support.services import Service, until
from support.users import PASSWORD, sign_up

NEW_PASSWORD = "a phrase to remember"


def part(one: Tab, name: str) -> Locator:
    """A part of the account."""
    return one.page.get_by_role("region", name=name)


def open_account(one: Tab, name: str) -> None:
    """Follows the link to the account, and waits for its parts."""
    one.page.get_by_role("link", name=f"Account of {name}").click()
    expect(one.page.get_by_role("heading", name="Account", exact=True)).to_be_focused()
    expect(part(one, "E-mail address").get_by_label("New address")).to_be_visible()
    expect(part(one, "Invitations").get_by_role("button", name="Invite")).to_be_visible()


def change_password(one: Tab, old: str, new: str) -> None:
    """Fills in and submits the form."""
    form = part(one, "Password")
    form.get_by_label("Current password").fill(old)
    form.get_by_label("New password").fill(new)
    form.get_by_role("button", name="Change password").click()


@pytest.mark.parametrize("look", LOOKS)
def test_the_account_is_shown_in_every_look(service: Service, tab: Callable[..., Tab], look: str) -> None:
    """With errors at the fields that are wrong; Close leads back."""
    alice = sign_up(service, f"alice-account-{look}")
    one = tab(look)
    one.expects("403", "422")
    page = one.page
    one.sign_in(alice.name)
    open_account(one, alice.name)
    expect(page).to_have_title("Account – Herolo")
    one.examine("account")
    change_password(one, "wrong", NEW_PASSWORD)
    expect(page.locator("#password-form-password-error")).to_have_text("This is not your password.")
    expect(part(one, "Password").get_by_label("Current password")).to_be_focused()
    change_password(one, PASSWORD, "12345678")
    expect(page.locator("#password-form-new_password-error")).to_contain_text("Must not be one of the most common")
    one.examine("account-errors")
    change_password(one, PASSWORD, "")
    expect(page.locator("#password-form-new_password-error")).to_have_text("Please fill this in.")
    page.locator("#pane").get_by_role("button", name="Close", exact=True).click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()


def test_the_email_address_is_changed(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-address")
    one = tab("desk-light")
    one.sign_in(alice.name)
    open_account(one, alice.name)
    form = part(one, "E-mail address")
    expect(form).to_contain_text("alice-address@example.com")
    form.get_by_label("New address").fill("alice-address@example.org")
    form.get_by_label("Your password").fill(PASSWORD)
    form.get_by_role("button", name="Change address").click()
    expect(form).to_contain_text("It is alice-address@example.com, and not confirmed yet.")
    expect(form.locator("#pending-email")).to_contain_text("alice-address@example.org replaces it once you open")
    one.examine("account-pending-address")
    with one.page.expect_response("**/email-verifications") as response:
        form.get_by_role("button", name="Send the mail again").click()
    assert response.value.status == 202
    expect(form.get_by_label("Your password")).to_have_value("")
    account = alice.ask("GET", "")
    assert account["email"] == "alice-address@example.com"
    assert account["pending_email"] == "alice-address@example.org"


def test_a_new_password_signs_out_others_and_not_this_browser(service: Service, tab: Callable[..., Tab]) -> None:
    """All tabs of the browser go on; a draft is kept."""
    bob, alice = sign_up(service, "bob-password"), sign_up(service, "alice-password")
    one = tab("desk-dark")
    one.expects("401")
    one.sign_in(alice.name)
    two = one.another()
    two.open()
    two.is_live()
    two.write(bob.name, "Draft", "Not yet sent.")
    open_account(one, alice.name)
    change_password(one, PASSWORD, NEW_PASSWORD)
    expect(one.page.get_by_text("The password is changed.")).to_be_visible()
    assert service.request("GET", f"/users/{alice.name}", token=alice.token)[0] == 401
    expect(two.page.get_by_role("dialog")).to_be_hidden()
    two.send()
    until(lambda: [message["subject"] for message in bob.received()] == ["Draft"], "the draft")
    bob.send(alice.name, "Answer")
    for each in (one, two):
        each.is_live()
        expect(each.page.locator("#unread-badge")).to_have_text("1")


def test_a_password_change_whose_answer_is_lost_is_found_out(service: Service, tab: Callable[..., Tab]) -> None:
    """By the new password, which signs in if it was changed."""
    alice = sign_up(service, "alice-unsure")
    one = tab("phone-light")
    one.expects("ERR_FAILED", "401")
    one.sign_in(alice.name)
    open_account(one, alice.name)

    def lose(route: Route, is_done: bool) -> None:
        if is_done:
            route.fetch()
        route.abort()

    one.page.route("**/password", lambda route: lose(route, False))
    change_password(one, PASSWORD, NEW_PASSWORD)
    expect(part(one, "Password").get_by_role("alert")).to_contain_text("The service cannot be reached.")
    one.page.unroute("**/password")
    one.page.route("**/password", lambda route: lose(route, True))
    change_password(one, PASSWORD, NEW_PASSWORD)
    expect(one.page.get_by_text("The password is changed.")).to_be_visible()
    one.is_live()


def test_the_export_is_a_file_with_all_data(service: Service, tab: Callable[..., Tab], tmp_path: Path) -> None:
    """A broken one is not saved."""
    alice = sign_up(service, "alice-export")
    alice.send(alice.name, "Note", "To myself.")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    open_account(one, alice.name)
    page.route("**/export", lambda route: route.fulfill(status=200, content_type="application/json", body='{"acc'))
    page.get_by_role("button", name="Download").click()
    expect(part(one, "Your data").get_by_role("alert")).to_be_visible()
    page.unroute("**/export")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    assert saved.value.suggested_filename == "herolo-alice-export.json"
    saved.value.save_as(tmp_path / "export.json")
    assert json.loads((tmp_path / "export.json").read_text())["received"][0]["message"] == "To myself."


def test_a_user_invites_another_and_withdraws_an_invitation(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-inviter")
    one = tab("phone-dark")
    page = one.page
    one.sign_in(alice.name)
    open_account(one, alice.name)
    page.get_by_role("button", name="Invite").click()
    address = page.get_by_label("Link of the invitation")
    expect(address).to_be_focused()
    one.examine("invitation")
    two = tab("desk-light")
    two.page.goto(address.input_value())
    expect(two.page.get_by_role("heading", name="Create your account")).to_be_visible()
    expect(page.get_by_role("list", name="Open invitations").get_by_role("listitem")).to_have_count(1)
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("The invitation is withdrawn.")).to_be_visible()
    assert alice.ask("GET", "/invitations") == {"invitations": []}
    page.route("**/service", lambda route: route.fulfill(json={"sign_ups": "open", "user_invitations": False}))
    page.keyboard.press("Escape")
    page.get_by_role("link", name=f"Account of {alice.name}").click()
    expect(part(one, "E-mail address").get_by_label("New address")).to_be_visible()
    expect(part(one, "Invitations")).to_have_count(0)


def test_an_account_is_deleted_after_a_question(service: Service, tab: Callable[..., Tab]) -> None:
    """In all tabs, also when the response is lost."""
    bob = sign_up(service, "bob-deletes")
    for name in ("alice-deletes", "carol-deletes"):
        user = sign_up(service, name)
        user.send(bob.name, f"By {name}")
        one = tab("desk-light")
        one.expects("ERR_FAILED", "401", "403")
        page = one.page
        one.sign_in(name)
        two = one.another()
        two.open()
        two.is_live()
        if name == "carol-deletes":
            page.route("**/deletion", lambda route: (route.fetch(), route.abort()))
        open_account(one, name)
        form = part(one, "Delete the account")
        form.get_by_label("Your password").fill(PASSWORD)
        form.get_by_role("button", name="Delete account").click()
        dialog = page.get_by_role("dialog", name=f"Delete the account {name}?")
        expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
        one.examine("delete-account")
        page.keyboard.press("Escape")
        form.get_by_label("Your password").fill(PASSWORD)
        form.get_by_role("button", name="Delete account").click()
        dialog.get_by_role("button", name="Delete the account").click()
        for each in (one, two):
            expect(each.page.get_by_role("button", name="Sign in")).to_be_visible()
        expect(page.get_by_text(f"The account {name} is deleted.")).to_be_visible()
        assert service.request("GET", f"/users/{name}", token=user.token)[0] == 401
    until(lambda: bob.received() == [], "the end of their messages")


def test_what_is_typed_as_a_password_can_be_shown(service: Service, tab: Callable[..., Tab]) -> None:
    """By a button beside each field. When a form is sent, its fields are those of passwords again."""
    alice = sign_up(service, "alice-reveals")
    one = tab("phone-light")
    one.expects("403", "422")
    page = one.page
    one.open()
    field = page.get_by_label("Password", exact=True)
    field.fill(PASSWORD)
    page.get_by_role("button", name="Show password").click()
    expect(field).to_have_attribute("type", "text")
    expect(field).to_have_attribute("autocomplete", "current-password")
    page.get_by_role("button", name="Hide password").click()
    expect(field).to_have_attribute("type", "password")
    page.get_by_label("Username").fill(alice.name)
    page.get_by_role("button", name="Sign in").click()
    open_account(one, alice.name)
    form = part(one, "Password")
    new = form.get_by_label("New password")
    new.fill("short")
    button = form.get_by_role("button", name="Show password").last
    expect(button).to_have_accessible_description("New password")
    button.click()
    expect(new).to_have_attribute("type", "text")
    expect(form.get_by_label("Current password")).to_have_attribute("type", "password")
    one.examine("shown-password")
    form.get_by_label("Current password").fill(PASSWORD)
    form.get_by_role("button", name="Change password").click()
    expect(page.locator("#password-form-new_password-error")).to_be_visible()
    expect(new).to_have_attribute("type", "password")


def test_a_part_that_failed_keeps_the_focus_when_it_is_tried_again(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-tries")
    one = tab("desk-light")
    one.expects("500")
    page = one.page
    one.sign_in(alice.name)
    page.route("**/blocks", lambda route: route.fulfill(status=500, body=""))
    open_account(one, alice.name)
    again = part(one, "Blocked users").get_by_role("button", name="Try again")
    again.focus()
    with page.expect_response("**/blocks"):
        page.keyboard.press("Enter")
    expect(again).to_be_focused()
    page.unroute("**/blocks")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You block nobody.")).to_be_visible()
    expect(page.get_by_role("heading", name="Blocked users")).to_be_focused()


def test_each_invitation_has_a_button_of_its_own_name(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-invites-two")
    for _ in range(2):
        alice.ask("POST", "/invitations")
    one = tab("desk-light")
    one.sign_in(alice.name)
    open_account(one, alice.name)
    for number in (1, 2):
        expect(one.page.get_by_role("button", name=f"Withdraw invitation {number}, made ")).to_have_count(1)
