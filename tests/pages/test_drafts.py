"""Drafts: each goes to its own receiver, and none is lost without a warning."""

from __future__ import annotations

import re
from collections.abc import Callable

from pages.browser import Tab
from playwright.sync_api import Route, expect
from support.services import Service, until
from support.users import sign_up


def test_a_reply_never_opens_the_draft_to_another(service: Service, tab: Callable[..., Tab]) -> None:
    """Each reply and each new message has a draft of its own."""
    alice, ben, cat = (sign_up(service, f"{name}-drafts") for name in ("alice", "ben", "cat"))
    ben.send(alice.name, "From Ben")
    cat.send(alice.name, "From Cat")
    one = tab("desk-light")
    page = one.page
    text = page.get_by_label("Message", exact=True)
    to = page.get_by_label("To", exact=True)
    one.sign_in(alice.name)
    one.write(ben.name, "Surprise", "A secret about Cat.")
    page.get_by_role("button", name="Close", exact=True).click()
    one.row("From Cat").click()
    page.get_by_role("button", name="Reply").click()
    expect(to).to_have_value(cat.name)
    expect(text).to_have_value("")
    text.fill("Dear Cat.")
    page.keyboard.press("Escape")
    one.row("From Ben").click()
    page.get_by_role("button", name="Reply").click()
    expect(to).to_have_value(ben.name)
    expect(text).to_have_value("")
    # Neither is lost, each says so, and a reload changes nothing.
    page.keyboard.press("Escape")
    drafts = page.get_by_role("list", name="Drafts").get_by_role("link")
    expect(drafts).to_have_count(2)
    one.examine("drafts")
    one.reload()
    expect(drafts).to_have_count(2)
    drafts.filter(has_text="Re: From Cat").click()
    expect(page.get_by_role("heading", name=f"Reply to {cat.name}")).to_be_visible()
    one.send()
    until(lambda: [message["message"] for message in cat.received()] == ["Dear Cat."], "the answer")
    assert ben.received() == []
    drafts.filter(has_text="Surprise").click()
    expect(text).to_have_value("A secret about Cat.")
    one.send()
    until(lambda: [message["message"] for message in ben.received()] == ["A secret about Cat."], "the surprise")
    assert len(cat.received()) == 1
    expect(drafts).to_have_count(0)


def test_a_message_that_may_have_arrived_a_day_ago_is_not_sent_again_without_a_word(
    service: Service, tab: Callable[..., Tab]
) -> None:
    """The service has forgotten its key by then."""
    alice, ben = (sign_up(service, f"{name}-late") for name in ("alice", "ben"))
    one = tab("desk-light")
    page = one.page
    one.expects("500")
    one.sign_in(alice.name)
    one.write(ben.name, "Once", "Only once.")

    def lose(route: Route) -> None:
        route.fetch()
        route.fulfill(status=500, body="")

    page.route("**/messages", lose)
    one.send()
    expect(page.locator("#compose [data-error=form]")).to_be_visible()
    page.evaluate(
        """() => {
          const drafts = JSON.parse(sessionStorage.getItem("herolo.drafts"));
          for (const { tried } of Object.values(drafts)) tried.time -= 24 * 60 * 60 * 1000;
          sessionStorage.setItem("herolo.drafts", JSON.stringify(drafts));
        }"""
    )
    page.unroute("**/messages")
    one.reload()
    one.send()
    expect(page.get_by_role("alert").filter(has_text="may have arrived")).to_be_visible()
    assert len(ben.received()) == 1
    one.send()
    expect(page.get_by_text("Sent.", exact=True)).to_be_visible()
    assert len(ben.received()) == 2


def test_a_draft_is_not_lost_without_a_word(service: Service, tab: Callable[..., Tab]) -> None:
    """Neither by signing out, nor by closing the tab, nor by discarding it in error."""
    alice = sign_up(service, "alice-kept")
    one = tab("phone-light")
    page = one.page
    text = page.get_by_label("Message", exact=True)
    one.sign_in(alice.name)

    def may_leave() -> bool:
        return page.evaluate("dispatchEvent(new Event('beforeunload', { cancelable: true }))")

    assert may_leave()
    one.write("nobody", "Poem", "Of many hours.")
    assert not may_leave()
    page.get_by_role("button", name="Discard").click()
    assert may_leave()
    page.get_by_role("button", name="Undo").click()
    expect(text).to_have_value("Of many hours.")
    page.get_by_role("button", name="Sign out", exact=True).click()
    dialog = page.get_by_role("dialog", name="Sign out?")
    expect(dialog).to_contain_text("What you have not sent is deleted.")
    expect(dialog.get_by_role("button", name="Stay signed in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(text).to_have_value("Of many hours.")
    one.sign_out("Only this browser")
    assert page.evaluate("sessionStorage.length") == 0


def test_escape_while_characters_are_composed_closes_nothing(service: Service, tab: Callable[..., Tab]) -> None:
    """Escape cancels the composition, and Enter does not send the message."""
    alice = sign_up(service, "alice-ime")
    one = tab("desk-dark")
    one.sign_in(alice.name)
    one.write(alice.name, "にほん", "にほんご")
    text = one.page.get_by_label("Message", exact=True)
    for key in ("Escape", "Enter"):
        text.evaluate(
            """(field, key) => field.dispatchEvent(new KeyboardEvent("keydown", {
            key, ctrlKey: key === "Enter", isComposing: true, bubbles: true, cancelable: true }))""",
            key,
        )
    one.page.wait_for_timeout(300)
    expect(text).to_be_visible()
    assert alice.received() == []
    one.page.keyboard.press("Escape")
    expect(text).to_have_count(0)


def test_a_draft_stays_under_the_pointer_while_the_list_loads(service: Service, tab: Callable[..., Tab]) -> None:
    """What appears with the list moves nothing that could be clicked before."""
    alice = sign_up(service, "alice-pointing")
    alice.send(alice.name, "Note")
    one = tab("desk-light")
    page = one.page
    held: list[Route] = []
    one.sign_in(alice.name)
    one.write(alice.name, "Draft", "Not yet.")
    page.route(re.compile("/messages|/users/[^/]+$"), lambda route: held.append(route))
    one.reload()
    page.get_by_role("button", name="Close", exact=True).click()
    draft = page.get_by_role("list", name="Drafts").get_by_role("link")
    expect(page.locator("#list-loading")).to_be_visible()
    before = draft.bounding_box()
    for route in held:
        route.continue_()
    page.unroute_all()
    expect(page.get_by_role("button", name="Select")).to_be_visible()
    expect(page.get_by_role("button", name="Mark all as read")).to_be_visible()
    assert draft.bounding_box() == before


def test_each_draft_keeps_the_key_it_was_tried_with(service: Service, tab: Callable[..., Tab]) -> None:
    """Also if another message is sent between two attempts; a form that is reopened while sending is sent once."""
    alice, ben = sign_up(service, "alice-keyed"), sign_up(service, "ben-keyed")
    ben.send(alice.name, "Question")
    one = tab("desk-light")
    one.expects("ERR_FAILED", "500")
    page = one.page
    keys: list[str] = []
    held: list[Route] = []

    def hear(route: Route) -> None:
        if route.request.post_data_json["subject"] != "New":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            return route.fulfill(status=500, body="")
        held.append(route)
        return None

    one.sign_in(alice.name)
    page.route("**/messages", hear)
    one.write(ben.name, "New", "Once.")
    one.send()
    expect(page.locator("#compose [data-error=form]")).to_be_visible()
    one.row("Question").click()
    page.get_by_role("button", name="Reply").click()
    page.get_by_label("Message", exact=True).fill("Answer.")
    one.send()
    until(lambda: len(ben.received()) == 2, "the answer")
    page.get_by_role("link", name="Write").click()
    one.send()
    one.until(lambda: bool(held), "the second try")
    page.get_by_role("button", name="Close", exact=True).first.click()
    page.get_by_role("link", name="Write").click()
    expect(page.locator("#compose-state")).to_have_text("Sending…")
    page.keyboard.press("Control+Enter")
    held[0].continue_()
    expect(page.locator("#compose")).to_have_count(0)
    assert len(keys) == 2 and len(set(keys)) == 1, keys
    assert len(ben.received()) == 2


def test_a_wrong_receiver_is_named(service: Service, tab: Callable[..., Tab]) -> None:
    """The error names an e-mail address and an @ as the mistake."""
    alice = sign_up(service, "alice-names")
    one = tab("desk-light")
    one.expects("422")
    page = one.page
    error = page.locator("#compose-to-error")
    one.sign_in(alice.name)
    one.write("ab, x, alice-names", "Hello", "Text.")
    one.send()
    expect(error).to_contain_text("“ab” is not a username")
    expect(error).to_contain_text("“x” is not a username")
    expect(error).not_to_contain_text("alice-names")
    for wrong, words in (("bob@example.com", "e-mail address"), ("@alice-names", "usernames have none")):
        page.get_by_label("To", exact=True).fill(wrong)
        one.send()
        expect(error).to_contain_text(f"“{wrong}”")
        expect(error).to_contain_text(words)
        expect(page.get_by_label("To", exact=True)).to_be_focused()
    assert alice.received() == []
