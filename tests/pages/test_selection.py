"""Several messages at once: marking, selecting, and deletions that can be undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import Route, expect
from support.services import Service, until
from support.users import User, sign_up


def unread_of(user: User) -> list[str]:
    """The subjects of the unread messages, the newest first."""
    return [message["subject"] for message in user.received() if not message["read"]]


@pytest.mark.parametrize("look", LOOKS)
def test_selected_messages_are_marked_and_deleted_in_every_look(
    service: Service, tab: Callable[..., Tab], look: str
) -> None:
    bob, alice = sign_up(service, f"bob-select-{look}"), sign_up(service, f"alice-select-{look}")
    for subject in ("One", "Two", "Three", "Four"):
        bob.send(alice.name, subject)
    one = tab(look)
    page = one.page
    one.sign_in(alice.name)
    expect(page.locator("#rows a")).to_have_count(4)
    one.examine("list-tools")
    page.get_by_role("button", name="Select", exact=True).click()
    expect(page.get_by_label("Select all")).to_be_focused()
    page.get_by_label("Select “One”").check()
    page.get_by_label("Select “Three”").check()
    expect(page.locator("#selected-count")).to_have_text("2 selected")
    one.examine("selection")
    page.get_by_role("button", name="Mark read").click()
    expect(page.locator("#rows .unread")).to_have_count(2)
    expect(page.locator("#selection")).to_be_hidden()
    assert unread_of(alice) == ["Four", "Two"]

    page.get_by_role("button", name="Select", exact=True).click()
    page.get_by_label("Select all").check()
    page.get_by_label("Select “Two”").uncheck()
    page.get_by_role("button", name="Mark unread").click()
    expect(page.locator("#rows .unread")).to_have_count(4)
    page.get_by_role("button", name="Select", exact=True).click()
    page.get_by_label("Select “Two”").check()
    page.get_by_label("Select “Three”").check()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#rows .row-subject")).to_have_text(["Four", "One"])
    one.examine("deleted-with-undo")
    assert len(alice.received()) == 4, "a deletion that can be undone has been carried out"
    page.locator(".toast").filter(has_text="2 messages will be deleted.").get_by_role("button", name="Close").click()
    until(lambda: [message["subject"] for message in alice.received()] == ["Four", "One"], "the deletion")
    assert len(bob.ask("GET", "/messages?box=sent")["messages"]) == 4


def test_all_are_marked_as_read_up_to_the_newest_that_is_shown(service: Service, tab: Callable[..., Tab]) -> None:
    """One that arrives at the service in the meantime stays unread; the mark can be undone."""
    bob, alice = sign_up(service, "bob-all"), sign_up(service, "alice-all")
    for subject in ("One", "Two"):
        bob.send(alice.name, subject)
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    expect(page.locator("#rows .unread")).to_have_count(2)

    def interject(route: Route) -> None:
        if route.request.method == "PATCH":
            bob.send(alice.name, "Late")
        route.continue_()

    page.route("**/messages", interject)
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.locator("#unread-badge")).to_have_text("1")
    expect(page.locator("#rows .unread .row-subject")).to_have_text(["Late"])
    assert unread_of(alice) == ["Late"]
    page.unroute("**/messages")
    page.locator(".toast").filter(has_text="2 messages marked as read.").get_by_role("button", name="Undo").click()
    expect(page.locator("#unread-badge")).to_have_text("3")
    assert len(unread_of(alice)) == 3


def test_a_deletion_is_undone(service: Service, tab: Callable[..., Tab]) -> None:
    """By its button, of one message and of several; nothing is sent to the service."""
    bob, alice = sign_up(service, "bob-undo"), sign_up(service, "alice-undo")
    for subject in ("One", "Two", "Three"):
        bob.send(alice.name, subject)
    one = tab("phone-light")
    page = one.page
    deletions: list[str] = []
    page.on("request", lambda request: deletions.append(request.url) if request.method == "DELETE" else None)
    one.sign_in(alice.name)
    one.row("Two").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#rows .row-subject")).to_have_text(["Three", "One"])
    # What the service still has is not shown.
    one.come_back()
    page.wait_for_timeout(300)
    expect(page.locator("#rows .row-subject")).to_have_text(["Three", "One"])
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The message is back.")).to_be_visible()
    expect(page.locator("#rows .row-subject")).to_have_text(["Three", "Two", "One"])
    page.get_by_role("button", name="Select", exact=True).click()
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No messages yet")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#rows .row-subject")).to_have_text(["Three", "Two", "One"])
    assert deletions == []


def test_a_closed_page_deletes_nothing_and_a_sign_out_does(service: Service, tab: Callable[..., Tab]) -> None:
    bob, alice = sign_up(service, "bob-closed"), sign_up(service, "alice-closed")
    for subject in ("One", "Two"):
        bob.send(alice.name, subject)
    one = tab("desk-dark")
    page = one.page
    one.sign_in(alice.name)

    def delete(subject: str) -> None:
        one.row(subject).click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(one.row(subject)).to_have_count(0)

    delete("One")
    one.reload()
    expect(one.row("One")).to_be_visible()
    delete("Two")
    one.sign_out("Only this browser")
    assert [message["subject"] for message in alice.received()] == ["One"]


def test_a_deletion_that_fails_brings_the_messages_back(service: Service, tab: Callable[..., Tab]) -> None:
    """Those that were not deleted, with the reason."""
    bob, alice = sign_up(service, "bob-fails"), sign_up(service, "alice-fails")
    for subject in ("One", "Two"):
        bob.send(alice.name, subject)
    one = tab("desk-light")
    one.expects("500")
    page = one.page
    one.sign_in(alice.name)
    tries: list[str] = []

    def refuse(route: Route) -> None:
        if route.request.method != "DELETE":
            return route.continue_()
        tries.append(route.request.url)
        return route.continue_() if len(tries) == 1 else route.fulfill(status=500, body="")

    page.route("**/messages/*", refuse)
    page.get_by_role("button", name="Select", exact=True).click()
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Delete").click()
    page.locator(".toast").get_by_role("button", name="Close").click()
    expect(page.get_by_text("Not deleted: The service has failed.")).to_be_visible()
    expect(page.locator("#rows .row-subject")).to_have_text(["One"])
    assert [message["subject"] for message in alice.received()] == ["One"]


def test_messages_that_others_lose_are_deleted_after_a_question(service: Service, tab: Callable[..., Tab]) -> None:
    """In the sent box; Shift selects a range."""
    bob, alice = sign_up(service, "bob-lose"), sign_up(service, "alice-lose")
    for number in range(5):
        alice.send(bob.name, f"Number {number}")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    page.get_by_role("link", name="Sent").click()
    page.get_by_role("button", name="Select", exact=True).click()
    expect(page.get_by_role("button", name="Mark read")).to_be_hidden()
    page.get_by_label("Select “Number 3”").click()
    page.get_by_label("Select “Number 1”").click(modifiers=["Shift"])
    expect(page.locator("#selected-count")).to_have_text("3 selected")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete 3 messages?")
    expect(dialog).to_contain_text("You have sent them, so all their receivers lose them, too.")
    expect(dialog.get_by_role("button", name="Keep them")).to_be_focused()
    one.examine("delete-several")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator("#rows .row-subject")).to_have_text(["Number 4", "Number 0"])
    until(lambda: len(bob.received()) == 2, "the deletion for everybody")


def test_a_deletion_of_ones_own_and_others_messages_does_not_claim_to_be_for_everybody(
    service: Service, tab: Callable[..., Tab]
) -> None:
    bob, alice = sign_up(service, "bob-mixes"), sign_up(service, "alice-mixes")
    bob.send(alice.name, "Received")
    alice.send(alice.name, "Written")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    page.get_by_role("button", name="Select", exact=True).click()
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete 2 messages?")
    expect(dialog).to_contain_text("You have sent 1 of them")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator(".toast > span")).to_have_text("2 messages will be deleted.")


def test_a_message_that_was_deleted_elsewhere_does_not_come_back(service: Service, tab: Callable[..., Tab]) -> None:
    """Undo says so, and brings the others back."""
    bob, alice = sign_up(service, "bob-elsewhere"), sign_up(service, "alice-elsewhere")
    ids = [bob.send(alice.name, subject) for subject in ("One", "Two", "Three")]
    one = tab("desk-light")
    one.expects("404")
    page = one.page
    one.sign_in(alice.name)

    def delete(*subjects: str) -> None:
        page.get_by_role("button", name="Select", exact=True).click()
        for subject in subjects:
            page.get_by_label(f"Select “{subject}”").check()
        page.get_by_role("button", name="Delete").click()
        expect(one.row(subjects[0])).to_have_count(0)

    delete("One", "Two")
    alice.ask("DELETE", f"/messages/{ids[0]}")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 message of 2 cannot come back: deleted elsewhere")).to_be_visible()
    expect(page.locator("#rows .row-subject")).to_have_text(["Three", "Two"])
    delete("Three")
    alice.ask("DELETE", f"/messages/{ids[2]}")
    page.locator(".toast").filter(has_text="1 message will be deleted: Three").get_by_role(
        "button", name="Undo"
    ).click()
    expect(page.get_by_text("The message cannot come back")).to_be_visible()
    expect(page.locator("#rows .row-subject")).to_have_text(["Two"])


def test_a_sign_out_tells_of_deletions_and_does_not_lose_them(service: Service, tab: Callable[..., Tab]) -> None:
    """If one fails, the user stays signed in and learns the reason."""
    bob, alice = sign_up(service, "bob-leaves"), sign_up(service, "alice-leaves")
    bob.send(alice.name, "One")
    one = tab("phone-light")
    one.expects("500")
    page = one.page
    one.sign_in(alice.name)
    page.get_by_role("button", name="Select", exact=True).click()
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Delete").click()
    page.route("**/messages/*", lambda route: route.fulfill(status=500, body=""))
    page.get_by_role("button", name="Sign out", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 message that you have just deleted cannot be brought back then.")
    one.examine("sign-out-with-deletions")
    dialog.get_by_role("button", name="Only this browser").click()
    expect(dialog.get_by_role("heading")).to_have_text("Not signed out: The service has failed. Try again in a moment.")
    page.unroute("**/messages/*")
    dialog.get_by_role("button", name="Only this browser").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert [message["subject"] for message in alice.received()] == ["One"]
