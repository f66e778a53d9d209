#!/usr/bin/env python3
"""Walks through the pages as people do. Started by tests/pages/run; prints a line for each test."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from browser import LOOKS, PASSWORD, Service, Tab, User, until
from playwright.sync_api import Route, expect, sync_playwright

Test = Callable[[Service, Callable[..., Tab]], None]
TESTS: list[Test] = []


def test(function: Test) -> Test:
    """Makes it one of the tests; its name says what holds."""
    TESTS.append(function)
    return function


def whole_walk(service: Service, tab: Tab, name: str) -> None:
    """From signing up to signing out, with every view on the way."""
    page = tab.page
    bob, carol = service.user(f"bob-{name}"), service.user(f"carol-{name}")
    tab.expects("409", "422")
    tab.open()
    tab.examine("sign-in")

    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Username").fill(bob.name)
    page.get_by_label("E-mail address").fill("nowhere")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#access-email-error")).to_contain_text("Must be an e-mail address")
    expect(page.locator("#access-password-error")).to_contain_text("8 to 128 characters")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    tab.examine("sign-up-errors")
    page.get_by_label("E-mail address").fill(f"{name}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#access-username-error")).to_have_text("Is taken.")
    page.get_by_label("Username").fill(name)
    page.get_by_role("button", name="Create account").click()

    expect(page.get_by_role("heading", name="Inbox")).to_be_focused()
    expect(page.get_by_text("No messages yet")).to_be_visible()
    tab.is_live()
    tab.examine("empty")

    bob.send(name, "Dinner on Friday", "Shall we try the new place by the river?\n\nI could book a table for eight.")
    row = tab.row("Dinner on Friday")
    expect(row).to_contain_text("Unread. ")
    expect(page.get_by_role("status").filter(has_text=f"New message from {bob.name}: Dinner on Friday")).to_be_visible()
    expect(page.locator("#unread-badge")).to_have_text("1")
    expect(page).to_have_title("(1) Inbox – Herolo")
    row.click()
    expect(page.get_by_role("heading", name="Dinner on Friday")).to_be_focused()
    expect(page.get_by_text("I could book a table for eight.", exact=False).last).to_be_visible()
    expect(page.locator("#unread-badge")).to_be_hidden()
    until(lambda: bob.ask("GET", "/messages?box=sent")["messages"][0]["read"], "the mark")
    tab.examine("message")

    page.get_by_role("button", name="Reply").click()
    expect(page.get_by_label("To")).to_have_value(bob.name)
    expect(page.get_by_label("Subject")).to_have_value("Re: Dinner on Friday")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.get_by_label("Message", exact=True).fill("With pleasure. I bring the children.")
    tab.examine("reply")
    tab.send()
    until(lambda: [one["subject"] for one in bob.received()] == ["Re: Dinner on Friday"], "the answer")

    tab.write(f"{bob.name}, nobody-{name} {carol.name}", "Minutes", "As promised.")
    tab.send()
    expect(page.locator("#compose-to-error")).to_have_text(f"'nobody-{name}' is not the name of a user.")
    expect(page.get_by_label("To")).to_be_focused()
    tab.examine("compose-error")
    page.get_by_label("To").fill(f"{bob.name}, {carol.name}")
    tab.send()
    until(lambda: len(carol.received()) == 1, "the message to several")
    carol.ask("PATCH", f"/messages/{carol.received()[0]['id']}", {"read": True})

    page.get_by_role("link", name="Sent").click()
    expect(tab.row("Minutes")).to_contain_text("Read by 1 of 2")
    tab.examine("sent")
    tab.row("Minutes").click()
    receivers = page.get_by_role("list", name="Receivers").get_by_role("listitem")
    expect(receivers.filter(has_text=carol.name).locator(".state")).to_have_text("read")
    expect(receivers.filter(has_text=bob.name).locator(".state")).to_have_text("not read yet")
    tab.examine("sent-message")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog", name="Delete for everybody?")).to_be_visible()
    tab.examine("confirm")
    page.get_by_role("button", name="Keep it").click()
    expect(tab.page.get_by_role("heading", name="Minutes")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    until(lambda: carol.received() == [], "the deletion for everybody")
    expect(tab.row("Minutes")).to_have_count(0)

    for number in range(24):
        bob.send(name, f"Number {number:02}", "One of many.")
    page.get_by_role("link", name="Inbox").click()
    expect(page.locator("#rows a")).to_have_count(25)
    tab.reload()
    expect(page.locator("#rows a")).to_have_count(20)
    tab.is_live()
    tab.examine("inbox")
    page.get_by_role("button", name="Show older messages").click()
    expect(page.locator("#rows a")).to_have_count(25)
    expect(page.get_by_role("button", name="Show older messages")).to_be_hidden()
    assert page.locator("#rows .row-subject").all_inner_texts()[-2:] == ["Number 00", "Dinner on Friday"]
    page.get_by_label("Only unread").check()
    expect(page.locator("#rows a")).to_have_count(20)
    page.get_by_role("button", name="Show older messages").click()
    expect(page.locator("#rows a")).to_have_count(24)
    expect(tab.row("Dinner on Friday")).to_have_count(0)

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0 and page.evaluate("localStorage.length") == 0
    assert tab.context.cookies() == []
    expect(page.locator("#rows a")).to_have_count(0)


for one_look in LOOKS:

    def walk(service: Service, tab: Callable[..., Tab], look: str = one_look) -> None:
        """In each look."""
        whole_walk(service, tab(look), f"alice-{look}")

    walk.__name__ = f"the_whole_walk_{one_look.replace('-', '_')}"
    test(walk)


@test
def the_keyboard_alone_is_enough(service: Service, tab: Callable[..., Tab]) -> None:
    """No mouse, and always seen where the focus is."""
    bob = service.user("bob-keys")
    service.user("alice-keys")
    keys = tab("desk-light")
    page = keys.page

    def press(*names: str) -> None:
        for name in names:
            page.keyboard.press(name)

    def walk_to(name: str) -> None:
        for _ in range(40):
            press("Tab")
            focused, outline = page.evaluate("""() => {
                const one = document.activeElement;
                if (one === document.body) return ["", "of the window itself"]; // from the end to the beginning
                return [one.innerText || one.labels?.[0]?.innerText || "", getComputedStyle(one).outlineStyle];
            }""")
            assert outline != "none", f"nobody sees that {focused} has the focus"
            if name in focused:
                return
        raise AssertionError(f"the focus never comes to {name}")

    keys.open()
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("alice-keys")
    press("Tab")
    page.keyboard.type(PASSWORD)
    press("Enter")
    expect(page.get_by_role("heading", name="Inbox")).to_be_focused()
    keys.is_live()
    for number in range(3):
        bob.send("alice-keys", f"Letter {number}")
    expect(page.locator("#rows a")).to_have_count(3)
    walk_to("Letter 2")
    press("ArrowDown", "ArrowDown", "ArrowUp", "Enter")
    expect(page.get_by_role("heading", name="Letter 1")).to_be_focused()
    press("Tab")
    expect(page.get_by_role("button", name="Reply")).to_be_focused()
    press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.type("Typed blindly.")
    press("Escape")
    expect(page.locator("#compose")).to_have_count(0)
    walk_to("Letter 0")
    press("Enter")
    expect(page.get_by_role("heading", name="Letter 0")).to_be_focused()
    press("Escape")
    expect(keys.row("Letter 0")).to_be_focused()
    keys.open("/#/write")
    expect(page.get_by_label("Message", exact=True)).to_have_value("Typed blindly.")
    press("Control+Enter")
    until(lambda: [one["message"] for one in bob.received()] == ["Typed blindly."], "the answer")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    keys.row("Letter 0").focus()
    press("Enter")
    expect(page.get_by_role("heading", name="Letter 0")).to_be_focused()
    walk_to("Delete")
    press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    press("Escape")
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete").focus()
    press("Enter")
    expect(page.locator("#rows a")).to_have_count(2)
    expect(keys.row("Letter 1")).to_be_focused()


@test
def what_people_write_stays_text_and_fits(service: Service, tab: Callable[..., Tab]) -> None:
    """Markup, long words, long names, other directions, and the longest message that there is."""
    mallory = service.user("m" * 64)
    alice = service.user("alice-texts")
    texts = [
        ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script><style>*{display:none}</style>"),
        ("&lt;b&gt; {{7*7}} ${7*7}", "javascript:alert(3) <a href='javascript:alert(4)'>here</a>\n<iframe srcdoc='x'></iframe>"),
        ("ש" * 120 + " שלום", "مرحبا بالعالم، كيف حالك؟\n" * 4),
        ("👩‍👩‍👧‍👦🎉" * 8, "🇬🇧 " * 60),
        ("W" * 255, "w" * 65_535),
        ("\u202egnp.exe", "first\n\n\n   indented\ttab"),
    ]
    for subject, message in texts:
        mallory.send(alice.name, subject, message)
    for look in ("phone-light", "desk-dark"):
        one = tab(look)
        one.sign_in(alice.name)
        expect(one.page.locator("#rows a")).to_have_count(len(texts))
        assert one.page.locator("#rows .row-subject").all_inner_texts()[-1] == texts[0][0]
        one.examine("hostile-list")
        for index, (subject, message) in enumerate(reversed(texts)):
            one.page.locator("#rows a").nth(index).click()
            expect(one.page.locator(".message h2")).to_be_focused()
            assert one.page.locator(".message h2").text_content() == subject
            assert one.page.locator(".message-text").text_content() == message
            assert one.page.locator(".message-text *, .message h2 *").count() == 0
            one.examine(f"hostile-{index}")
            one.page.keyboard.press("Escape")
    over = tab("desk-light")
    over.expects("422")
    over.sign_in(alice.name)
    over.write(mallory.name, "W" * 256, "w" * 65_536)
    expect(over.page.locator("#compose-message-count")).to_have_text("65,536 of 65,535 bytes")
    over.send()
    expect(over.page.locator("#compose-subject-error")).to_have_text("Must be 1 to 255 characters long.")
    expect(over.page.locator("#compose-message-error")).to_contain_text("65535 bytes")
    over.examine("too-long")


@test
def a_lost_service_comes_back_and_nothing_is_missed(service: Service, tab: Callable[..., Tab]) -> None:
    """Neither a message that came meanwhile nor one that was being sent, and neither is there twice."""
    bob, alice = service.user("bob-lost"), service.user("alice-lost")
    one = tab("desk-light")
    one.expects("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
    one.sign_in(alice.name)
    bob.send(alice.name, "Before")
    expect(one.row("Before")).to_be_visible()
    service.stop(signal.SIGKILL)
    try:
        expect(one.page.locator("#line-text")).to_have_text("Reconnecting…")
        one.examine("reconnecting")
        one.write(bob.name, "Into the dark", "Does this arrive?")
        one.send()
        expect(one.page.locator("#compose-state")).to_contain_text("No connection. Trying again")
    finally:
        service.start()
    until(lambda: [message["subject"] for message in bob.received()] == ["Into the dark"], "the message")
    bob.send(alice.name, "After")
    expect(one.row("After")).to_be_visible()
    one.is_live()
    service.stop()
    service.start()
    bob.send(alice.name, "Again")
    expect(one.row("Again")).to_be_visible()
    one.page.wait_for_timeout(500)
    assert one.page.locator("#rows .row-subject").all_inner_texts() == ["Again", "After", "Before"]
    expect(one.page.locator("#unread-badge")).to_have_text("3")


@test
def a_send_whose_answer_is_lost_is_sent_once(service: Service, tab: Callable[..., Tab]) -> None:
    """The key of the first try is that of the second."""
    bob, alice = service.user("bob-once"), service.user("alice-once")
    one = tab("phone-dark")
    one.expects("ERR_FAILED", "429", "503")
    one.sign_in(alice.name)
    keys: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            return route.abort()
        if len(keys) == 2:
            body = json.dumps({"title": "Too many requests", "status": 429})
            return route.fulfill(status=429, headers={"Retry-After": "2", "Content-Type": "application/problem+json"}, body=body)
        return route.continue_()

    one.page.route("**/messages", lose)
    one.write(bob.name, "Once", "And once only.")
    one.send()
    expect(one.page.locator("#compose-state")).to_contain_text("The service is busy. Trying again in 2 s")
    expect(one.page.get_by_role("heading", name="Inbox")).to_be_visible()
    assert len(keys) == 3 and len(set(keys)) == 1, keys
    assert [message["subject"] for message in bob.received()] == ["Once"]


@test
def who_is_told_to_come_back_later_is_told_when(service: Service, tab: Callable[..., Tab]) -> None:
    """And is not let wait before a button."""
    alice = service.user("alice-later")
    one = tab("phone-light")
    one.expects("429")
    one.sign_in(alice.name)
    tries: list[str] = []

    def refuse(route: Route) -> None:
        tries.append(route.request.method)
        body = json.dumps({"detail": "You may send again in 90 seconds.", "status": 429})
        route.fulfill(status=429, headers={"Retry-After": "90", "Content-Type": "application/problem+json"}, body=body)

    one.write(alice.name, "Too much", "One more.")
    one.page.route("**/messages", refuse)
    one.send()
    expect(one.page.get_by_role("alert").filter(has_text="You may send again in 90 seconds.")).to_be_visible()
    expect(one.page.get_by_label("Message", exact=True)).to_have_value("One more.")
    assert tries == ["POST"], tries
    one.examine("too-many")


@test
def a_session_that_is_over_loses_no_draft(service: Service, tab: Callable[..., Tab]) -> None:
    """The password is asked for where one is, and what was being done goes on."""
    bob, alice = service.user("bob-over"), service.user("alice-over")
    one = tab("desk-dark")
    one.expects("401")
    one.sign_in(alice.name)
    one.write(bob.name, "A long letter", "With much thought.")
    alice.revoke_tokens()
    again = one.page.get_by_role("dialog", name="Sign in again")
    expect(again).to_be_visible()
    one.examine("signed-out")
    again.get_by_label("Password").fill("a wrong one")
    again.get_by_role("button", name="Sign in").click()
    expect(again.get_by_role("alert")).to_contain_text("no user with this name and password")
    one.page.keyboard.press("Escape")
    expect(again).to_be_hidden()
    expect(one.page.get_by_label("Message", exact=True)).to_have_value("With much thought.")
    one.send()
    expect(again).to_be_visible()
    again.get_by_label("Password").fill(PASSWORD)
    one.page.keyboard.press("Enter")
    until(lambda: [message["subject"] for message in bob.received()] == ["A long letter"], "the letter")
    one.is_live()
    bob.send(alice.name, "Thanks")
    expect(one.row("Thanks")).to_be_visible()
    one.reload()
    expect(one.row("Thanks")).to_be_visible()


@test
def what_cannot_be_loaded_can_be_tried_again(service: Service, tab: Callable[..., Tab]) -> None:
    """A list, and a message that somebody deleted."""
    bob, alice = service.user("bob-again"), service.user("alice-again")
    bob.send(alice.name, "There")
    one = tab("phone-light")
    one.expects("500", "404")
    fail = {"is_on": True}

    def refuse(route: Route) -> None:
        if fail["is_on"]:
            return route.fulfill(status=500, content_type="application/problem+json", body='{"detail":"The fault is ours."}')
        return route.continue_()

    one.page.route("**/messages?*", refuse)
    one.sign_in(alice.name)
    expect(one.page.get_by_role("alert").filter(has_text="The fault is ours.")).to_be_visible()
    one.examine("failed")
    fail["is_on"] = False
    one.page.get_by_role("button", name="Try again").click()
    expect(one.row("There")).to_be_visible()
    one.open("/#/inbox/999999")
    expect(one.page.get_by_role("heading", name="This message is gone")).to_be_visible()
    one.examine("gone")


@test
def a_swallowed_request_ends_in_a_message(service: Service, tab: Callable[..., Tab]) -> None:
    """And can be tried again. What the page waits for an answer is a twentieth here."""
    bob, alice = service.user("bob-swallowed"), service.user("alice-swallowed")
    bob.send(alice.name, "There")
    one = tab("phone-dark")
    one.expects("ERR_CONNECTION_RESET")
    one.context.add_init_script("""const real = AbortSignal.timeout.bind(AbortSignal);
        AbortSignal.timeout = (milliseconds) => real(milliseconds / 20);""")
    away = one.page.get_by_role("alert").filter(has_text="The service cannot be reached. Check your connection and try again.")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        one.page.route("**/messages?*", lambda route: route.continue_(url=nowhere))
        one.sign_in(alice.name)
        expect(away).to_be_visible()
        one.page.unroute("**/messages?*")
        one.page.get_by_role("button", name="Try again").click()
        expect(one.row("There")).to_be_visible()
    expect(away).to_be_hidden()


@test
def a_sign_up_whose_answer_is_lost_can_be_tried_again(service: Service, tab: Callable[..., Tab]) -> None:
    """Whoever made the account then is signed in; a name that somebody else has is taken all the same."""
    somebody = service.user("somebody-else")
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


@test
def a_browser_without_storage_is_enough(service: Service, tab: Callable[..., Tab]) -> None:
    """What the page would keep is in the page alone."""
    bob, alice = service.user("bob-stored"), service.user("alice-stored")
    bob.send(alice.name, "Lunch")
    one = tab("desk-dark")
    one.context.add_init_script("""Object.defineProperty(window, "sessionStorage", {
        get() { throw new DOMException("closed", "SecurityError"); } });""")
    page = one.page
    one.sign_in(alice.name)
    one.row("Lunch").click()
    page.get_by_role("button", name="Reply").click()
    expect(page.get_by_label("Subject")).to_have_value("Re: Lunch")
    page.get_by_label("Message", exact=True).fill("At noon.")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="Write").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("At noon.")
    one.send()
    until(lambda: [message["subject"] for message in bob.received()] == ["Re: Lunch"], "the answer")
    one.write(bob.name, "Never mind", "Or not.")
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("link", name="Write").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


@test
def a_lost_connection_is_told_once(service: Service, tab: Callable[..., Tab]) -> None:
    """However often the page tries in vain. Its clock goes faster here."""
    alice = service.user("alice-told")
    one = tab("desk-light")
    one.expects("ERR_FAILED")
    one.sign_in(alice.name)
    tries: list[str] = []

    def refuse(route: Route) -> None:
        tries.append(route.request.url)
        route.abort()

    one.page.route("**/events", refuse)
    one.page.clock.install()
    one.reload()
    one.page.evaluate("""() => { window.told = 0;
        new MutationObserver((changes) => { told += changes.length; }).observe(document.getElementById("alerts"), { childList: true }); }""")

    def tried_often() -> bool:
        one.page.clock.run_for(5000)
        return len(tries) > 8

    until(tried_often, "the ninth try")
    expect(one.page.locator("#line-text")).to_have_text("Reconnecting…")
    expect(one.page.locator("#alerts")).to_have_text("The connection is lost. Reconnecting.")
    assert one.page.evaluate("told") <= 1


@test
def a_list_with_more_to_load_is_not_called_empty(service: Service, tab: Callable[..., Tab]) -> None:
    """Though nothing of what was loaded is left. Here a page has one message."""
    alice = service.user("alice-more")
    for subject in ("Older", "Newer"):
        alice.send(alice.name, subject)
    one = tab("desk-light")
    page = one.page
    page.route("**/messages?per_page=20", lambda route: route.continue_(url=route.request.url.replace("per_page=20", "per_page=1")))
    one.sign_in(alice.name)
    expect(page.locator("#rows a")).to_have_count(1)
    one.row("Newer").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#rows a")).to_have_count(0)
    expect(page.locator("#list-empty")).to_be_hidden()
    page.get_by_role("button", name="Show older messages").click()
    expect(one.row("Older")).to_be_visible()


@test
def the_reference_shows_every_operation_and_tries_one(service: Service, tab: Callable[..., Tab]) -> None:
    """With a token that is entered there."""
    alice = service.user("alice-docs")
    document = json.loads(json.dumps(service.request("GET", "/openapi.json")[1]))
    for look in ("desk-light", "phone-dark"):
        one = tab(look)
        page = one.page
        one.open("/docs")
        expect(page.locator(".opblock")).to_have_count(sum(len(item) for item in document["paths"].values()))
        one.picture("docs")
        page.get_by_role("button", name="Authorize").first.click()
        page.locator(".auth-container input").fill(alice.token)
        page.locator(".auth-btn-wrapper button.authorize").click()
        page.locator(".auth-btn-wrapper button.btn-done").click()
        operation = page.locator(".opblock-get").filter(has=page.locator('[data-path="/users/{username}"]'))
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("textbox").first.fill(alice.name)
        operation.get_by_role("button", name="Execute").click()
        expect(operation.locator(".live-responses-table tr.response .response-col_status")).to_contain_text("200")
        expect(operation.locator(".live-responses-table")).to_contain_text("alice-docs@example.com")
        operation.scroll_into_view_if_needed()
        one.picture("docs-tried")


@test
def the_reference_works_as_it_is_filled_in(service: Service, tab: Callable[..., Tab]) -> None:
    """Nothing is typed; whoever signs up, gets a token and sends sees their message."""
    document = service.request("GET", "/openapi.json")[1]
    operations = {operation["operationId"]: (method, path)
                  for path, item in document["paths"].items() for method, operation in item.items()}
    taken = {"desk-light": 201, "phone-light": 409}  # the second to sign up has the name of the first
    for look, signed_up in taken.items():
        one = tab(look)
        one.expects("409")
        one.open("/docs")
        expect(one.page.get_by_role("link", name="Inbox")).to_be_visible()
        expect(one.page.get_by_role("link", name="The guide, task by task")).to_be_visible()
        assert execute(one, operations["createUser"], signed_up).url == f"{service.url}/users"
        execute(one, operations["issueToken"], 201)
        sent = [execute(one, operations["sendMessage"], 201).headers for _ in range(2)]
        assert all("authorization" in headers and "idempotency-key" not in headers for headers in sent), sent
        asked = execute(one, operations["listMessages"], 200)
        assert asked.url == f"{service.url}/users/alice/messages" and "if-none-match" not in asked.headers, asked.url
        execute(one, operations["getMessage"], 200)
        execute(one, operations["markMessage"], 200)
        execute(one, operations["getAccount"], 200)
        stream = opened(one, operations["streamEvents"])
        expect(stream.get_by_text("curl -N")).to_be_visible()
        expect(stream.get_by_role("button", name="Execute")).to_have_count(0)
        links = one.page.locator(".response-col_links").first
        expect(links).to_be_visible() if look.startswith("desk") else expect(links).to_be_hidden()
        one.picture("docs-filled-in")
        one.page.evaluate("scrollTo(0, 0)")
        one.picture("docs-top")


def opened(one: Tab, operation: tuple[str, str]) -> Any:
    """An operation of the reference, unfolded."""
    method, path = operation
    block = one.page.locator(f".opblock-{method}").filter(has=one.page.locator(f'[data-path="{path}"]'))
    if "is-open" not in (block.get_attribute("class") or ""):
        block.locator(".opblock-summary-control").click()
    return block


def execute(one: Tab, operation: tuple[str, str], status: int) -> Any:
    """Tries an operation of the reference as it is filled in, and returns the request that this made."""
    block = opened(one, operation)
    method, path = operation
    with one.page.expect_response(lambda answer: answer.request.method == method.upper() and "/users" in answer.url) as answer:
        block.get_by_role("button", name="Execute").click()
    assert answer.value.status == status, f"{method} {path}: {answer.value.status}: {answer.value.text()}"
    expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text(str(status))
    return answer.value.request


LETTERS = [
    ("noor", "Thank you for the books", "They came this morning. I have already begun the first one and cannot put it down.", 2900),
    ("carol", "Photos from the lake", "I have put all of them into the shared folder. The one with the heron is my favourite.", 1480),
    ("ines", "Re: Train times", "The 9:12 is fine with me. I will be at the station a little earlier and get us coffee.", 300),
    ("carol", "Choir moves to Thursday", "The hall is taken on Wednesdays from now on, so we meet on Thursdays at seven.", 64),
    ("bob", "Dinner on Friday", "Shall we try the new place by the river? They have tables outside, and the weather is to stay.\n\n"
     "I could book one for eight. Tell me who else is coming, and whether Noor is back by then.\n\nBob", 22),
    ("dmitri", "The draft, second round", "I have gone through it once more. Most of it reads well; two places need a closer look.", 4),
]


def take_portraits(service: Service, open_tab: Callable[[str], Tab]) -> None:
    """Pictures for the README. The messages were sent just now, so what the page is told of their times is made up."""
    for name in sorted({"alice"} | {sender for sender, *_ in LETTERS}):
        service.user(name)
    alice = User(service, "alice")
    for sender, subject, message, _ in LETTERS:
        letter = User(service, sender).send("alice", subject, message)
        if subject not in ("Dinner on Friday", "The draft, second round"):
            alice.ask("PATCH", f"/messages/{letter}", {"read": True})

    def age(route: Route) -> None:
        answer = route.fetch()
        page = answer.json()
        for letter in page["messages"]:
            minutes = next(minutes for _, subject, _, minutes in LETTERS if subject == letter["subject"])
            letter["created_at"] = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
        route.fulfill(response=answer, json=page)

    for look, name in (("phone-dark", "inbox-phone"), ("desk-light", "inbox")):
        one = open_tab(look)
        one.page.route("**/messages?*", age)
        one.sign_in("alice")
        expect(one.page.locator("#rows a")).to_have_count(len(LETTERS))
        if look == "desk-light":
            one.row("Dinner on Friday").click()
            expect(one.page.get_by_role("button", name="Mark unread")).to_be_visible()
        one.page.screenshot(path=one.pictures / f"{name}.png", animations="disabled")
        one.close()
    one = open_tab("desk-light")
    one.open("/docs")
    expect(one.page.locator(".opblock").first).to_be_visible()
    one.page.screenshot(path=one.pictures / "docs.png", animations="disabled")
    one.close()


def main() -> None:
    """Runs the tests whose name has all the words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--herolo", required=True, help="the service's binary")
    parser.add_argument("--chromium", default="", help="the browser; by default Playwright's own")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder for pictures")
    parser.add_argument("--portraits", action="store_true", help="take the README's pictures instead")
    parser.add_argument("words", nargs="*", help="words of the names of tests")
    given = parser.parse_args()
    service = Service(given.herolo)
    service.start()
    try:
        with sync_playwright() as playwright:
            # Its sandbox needs a user other than root.
            browser = playwright.chromium.launch(executable_path=given.chromium or None, args=["--no-sandbox"])
            if given.portraits:
                take_portraits(service, lambda look: Tab(browser, service, look, given.pictures))
                print("ok - the portraits are taken")
                return
            for one in TESTS:
                if all(word in one.__name__ for word in given.words):
                    run(one, service, lambda look: Tab(browser, service, look, given.pictures))
    finally:
        service.stop()


def run(one: Test, service: Service, open_tab: Callable[[str], Tab]) -> None:
    """Says whether it passes, and if not, where it failed."""
    tabs: list[Tab] = []

    def tab(look: str) -> Tab:
        tabs.append(open_tab(look))
        return tabs[-1]

    sentence = one.__name__.replace("_", " ")
    try:
        one(service, tab)
        for each in tabs:
            each.close()
        print(f"ok - {sentence}", flush=True)
    except Exception:
        for each in tabs:
            if not each.page.is_closed():
                each.picture("failed-test")
                print(*each.complaints, sep="\n")
        traceback.print_exc(file=sys.stdout)
        print(f"not ok - {sentence}", flush=True)
    finally:
        for each in tabs:
            each.context.close()


if __name__ == "__main__":
    main()
